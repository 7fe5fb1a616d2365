"""The base of outlier scorers, which score their training samples as if these were left out."""


class OutlierScorer:
    """Base of outlier scorers.

    Attributes
    ----------
    sample_indices_ : ndarray of int of shape (n_drawn,)
        Positions of the training samples that were drawn.
    training_scores_ : ndarray of shape (n_drawn,)
        Their scores, each computed as if the sample was left out.
    """
