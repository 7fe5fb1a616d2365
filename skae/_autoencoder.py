"""The plain autoencoder, vanilla or deep."""

from skae._base import BaseAutoencoder


class Autoencoder(BaseAutoencoder):
    """Autoencoder: a net that learns to reconstruct its input through a narrow code.

    The encoder maps a row to a few numbers, the code; the decoder maps the code back.
    With linear layers this is PCA; with hidden layers the code can follow curved
    structure. By default training starts at PCA and keeps the best weights on held-out
    rows, so that on standardised tables the result is rarely worse than PCA. Columns
    should be on comparable scales, for instance by a
    `~sklearn.preprocessing.StandardScaler` before it in a pipeline.

    Read more in the :ref:`User Guide <user_guide>`.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        Length of the code. "auto" is the square root of the number of features.
    architecture : str or object with ``build``, default="dense"
        The encoder's and decoder's layers: a parameter object such as
        `skae.architectures.Dense`, or "dense" for one with its defaults. Its
        parameters can be set and searched as ``architecture__<name>``.
    loss : {"squared_error", "absolute_error", "huber", "binary_cross_entropy"} or \
            callable, default="squared_error"
        How far a reconstruction is from the input. "binary_cross_entropy" needs values
        in [0, 1]. A callable takes the reconstruction and the input, both tensors of
        shape (n_samples, n_features), and returns one value per element or per sample.
    output_activation : str, default="auto"
        Activation of the last layer. "auto" follows the loss: "sigmoid" for
        "binary_cross_entropy", otherwise "identity". Any activation of
        `skae.architectures.Dense`.
    optimizer : {"adam", "adamw", "sgd", "nadam", "radam", "rmsprop"} or class, \
            default="adam"
        Optimiser, by name or a class of `torch.optim`.
    optimizer_params : dict or None, default=None
        Further parameters of the optimiser, such as ``{"momentum": 0.9}``.
    lr : float, default=2e-3
        Learning rate, the highest one if it changes.
    lr_schedule : {"cosine", "one_cycle"}, callable or None, default="one_cycle"
        How the learning rate changes over ``max_epochs``. "cosine" lets it fall to 0,
        "one_cycle" rise to ``lr`` during the first tenth and then fall [2]_. A callable
        takes the optimiser and returns a `torch.optim.lr_scheduler`, stepped after every
        epoch. None keeps it as it is.
    weight_decay : float, default=0.0
        Weight decay of the optimiser.
    max_grad_norm : float or None, default=None
        Scale gradients down to this norm where theirs is larger.
    batch_size : int or "auto", default="auto"
        Rows in a step of the optimiser. "auto" is the power of 2 next to a fiftieth of
        the rows, from 32 to 512.
    max_epochs : int or "auto", default="auto"
        Passes over the training rows. "auto" is what 4,000 steps allow, from 4 to 100.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out rows and restore the weights of the epoch with the least loss
        on them. "auto" does so from 20 rows up.
    validation_fraction : float, default=0.1
        Share of the rows that early stopping holds out, unless ``fit`` gets ``X_val``.
    patience : int or None, default=None
        Epochs without improvement after which early stopping ends the training. None
        never ends it, so that the learning rate falls to the end of its schedule.
    check_baseline : bool, default=True
        Warn after ``fit`` if PCA with as many components, or the mean, reconstructs
        better. It is computed on at most 2,048 rows.
    device : str or torch.device, default="auto"
        Where to train. "auto" takes a GPU (CUDA, then MPS) if there is one.
    callbacks : list of skorch callbacks or None, default=None
        Called while training. They are copied, so that they stay as they are.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the last fit, with the state of the optimiser,
        instead of starting anew.
    random_state : int, RandomState instance or None, default=None
        Source of initial weights, order of batches and dropout. An int gives the same
        model at every fit.
    verbose : int, default=0
        1 shows a progress bar with the loss, 0 nothing.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net.
    encoder_, decoder_ : torch.nn.Module
        The two halves, usable alone: the encoder maps a float32 tensor of shape
        (n_samples, n_features) to codes, the decoder codes to reconstructions.
    n_components_ : int
        Length of the code.
    history_ : skorch.history.History
        Record of each epoch: ``train_loss``, ``valid_loss`` if there are validation
        rows, and ``dur``, its seconds.
    loss_curve_ : list of float
        Mean training loss of each epoch.
    n_iter_ : int
        Number of epochs trained.
    device_ : torch.device
        Device that it was trained on.
    n_features_in_ : int
        Number of features of the training rows.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if the training rows were a DataFrame.

    See Also
    --------
    sklearn.decomposition.PCA : The linear special case, exact and much faster.
    skae.architectures.Dense : Layers and their parameters.

    References
    ----------
    .. [1] G. E. Hinton and R. R. Salakhutdinov, "Reducing the dimensionality of data
       with neural networks", Science 313, 2006. :doi:`10.1126/science.1127647`
    .. [2] L. N. Smith and N. Topin, "Super-convergence: very fast training of neural
       networks using large learning rates", 2018. :arxiv:`1708.07120`

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skae import Autoencoder
    >>> X = StandardScaler().fit_transform(load_breast_cancer().data)
    >>> autoencoder = Autoencoder(n_components=4, random_state=0).fit(X)
    >>> autoencoder.transform(X).shape
    (569, 4)
    >>> autoencoder.score(X) > 0.85
    True
    """

    def __init__(
        self,
        n_components="auto",
        *,
        architecture="dense",
        loss="squared_error",
        output_activation="auto",
        optimizer="adam",
        optimizer_params=None,
        lr=2e-3,
        lr_schedule="one_cycle",
        weight_decay=0.0,
        max_grad_norm=None,
        batch_size="auto",
        max_epochs="auto",
        early_stopping="auto",
        validation_fraction=0.1,
        patience=None,
        check_baseline=True,
        device="auto",
        callbacks=None,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.architecture = architecture
        self.loss = loss
        self.output_activation = output_activation
        self.optimizer = optimizer
        self.optimizer_params = optimizer_params
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.max_grad_norm = max_grad_norm
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.check_baseline = check_baseline
        self.device = device
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
