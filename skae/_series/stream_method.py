"""The base of thresholds that follow the scores of a stream."""


class StreamMethod:
    """Base of thresholds that follow the scores of a stream.

    Attributes
    ----------
    threshold : float
        Scores below are those of outliers.
    """

    def step(self, score):
        """Judge a score, and let the threshold move on.

        Parameters
        ----------
        score : float

        Returns
        -------
        is_outlier : bool
        p_value : float
        """
        is_outlier, p_value = score < self.threshold, self.p_value(score)
        self.move(score, is_outlier)
        return is_outlier, p_value

    def p_value(self, score):
        """Return the probability that a normal step has such a low score."""
        raise NotImplementedError

    def move(self, score, is_outlier):
        """Learn a score that was judged."""
        raise NotImplementedError


def check_enough(n_scores, n_needed, needs):
    """Raise an error if there are too few scores for what needs them.

    Parameters
    ----------
    n_scores : int
    n_needed : int
    needs : str
        The parameters that need so many, as errors name them.
    """
    if n_scores < n_needed:
        raise ValueError(
            f"X gives {n_scores} scores to find the threshold from, but {needs} needs at least "
            f"{n_needed}. Give more rows to fit, or a larger calibration_fraction or alpha."
        )
