"""d"""


def default_grid(estimator): ...
