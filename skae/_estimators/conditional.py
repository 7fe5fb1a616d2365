"""Autoencoders whose encoder and decoder get a condition of the samples, if ``fit`` gets one."""

import inspect
from functools import wraps
from numbers import Integral

from sklearn.utils import check_scalar
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skae._data.conditions import ConditionReader
from skae._data.given import like_input
from skae._data.ignored import warn_if_y_is_meant
from skae._estimators.fitted import FittedAutoencoder
from skae._estimators.out_of_core import OutOfCore
from skae._modules.conditional import ConditionalDecoder, ConditionalEncoder
from skae._params import fit_context
from skae._training.session import FitSession, fit_method

#: What docstrings of methods say of the condition.
CONDITION = """\
condition : array-like, dict or scalar or None, default=None
    Condition of the samples, if ``fit`` was given one: one row for each, or one for all. A
    dict holds one row. None takes the columns of X, if ``fit`` was given names of columns."""

#: The same of ``fit_batches``.
COLUMNS = """\
condition : str, list of str or None, default=None
    Names of columns that the samples are given, as for ``fit``."""


def given_condition(method):
    """Let a method of X take the condition of its samples."""

    @wraps(method)
    def of_given(self, X, *args, condition=None, **kwargs):
        given, X, _ = self._given(X, condition)
        return method(given, X, *args, **kwargs)

    signature = inspect.signature(method)
    parameter = inspect.Parameter("condition", inspect.Parameter.KEYWORD_ONLY, default=None)
    of_given.__signature__ = signature.replace(
        parameters=[*signature.parameters.values(), parameter]
    )
    of_given.__doc__ = _with_parameter(method.__doc__)
    del of_given.__wrapped__  # it has another signature
    return of_given


def _with_parameter(doc, text=CONDITION):
    """Return the docstring of a method with the parameter ``condition`` behind the others."""
    before, mark, after = doc.partition("\n\n        Returns\n")
    text = text.replace("\n", "\n        ")
    return f"{before}\n        {text}{mark}{after}"


class Conditional:
    """Mixin of ``condition``: what ``fit`` and the methods of a fitted model can be given.

    It comes before the base class of autoencoders, whose methods it calls for samples with their
    condition: a copy of the estimator has the reader that reads both.
    """

    #: Reads conditions; None where the model was fitted without.
    _condition_reader = None

    # Training.

    @fit_method
    def fit(self, X, y=None, sample_weight=None, *, X_val=None, condition=None, condition_val=None):
        """Train on X.

        Parameters
        ----------
        X : <X>
            <training_samples>
        y : None
            Ignored, so that the estimator can be in a pipeline with labels. A warning says so if
            it holds images, or samples like those of X.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each sample in the loss.
        X_val : <X_val> or None, default=None
            Samples for ``valid_loss``. Early stopping uses them to choose the best epoch. If
            None, it holds out ``validation_fraction`` of X.
        condition : str, list of str, array-like or None, default=None
            What the samples are given, so that the codes need not hold it: names of columns of a
            DataFrame X, which are then not encoded, or values of shape (n_samples,) or
            (n_samples, n_conditions). Text, booleans, dtype "category" and integers with at most
            20 different values are categories, other values numbers; some can be missing.
        condition_val : array-like or None, default=None
            Values for ``X_val``, where ``condition`` holds values.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, or if the loss becomes NaN or infinite. An
            estimator that was fitted before keeps its earlier fit.
        """
        warn_if_y_is_meant(type(self).__name__, X, y)
        if condition_val is not None and (X_val is None or condition is None):
            raise ValueError(
                "condition_val is the condition of X_val beside that of X: give condition and X_val"
            )
        validation = None if X_val is None else (X_val, condition_val)
        return FitSession(self, (X, condition), sample_weight, validation)

    @fit_context(prefer_skip_nested_validation=True)
    def fit_batches(self, source, *, n_passes=None, X_val=None, columns=None, condition=None):
        return self._fit_batches(source, n_passes, X_val, columns, beside=(condition,))

    fit_batches.__doc__ = _with_parameter(OutOfCore.fit_batches.__doc__, COLUMNS)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None, *, condition=None):
        """Train for one more epoch on X, at a constant ``lr``.

        The first call starts a new model. Later calls continue with its weights and the state
        of the optimizer.

        Parameters
        ----------
        X : <X>
            <training_samples>
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each sample in the loss.
        condition : str, list of str, array-like or None, default=None
            As for ``fit``. The first call learns which categories there are.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            As in ``fit``.
        """
        del y
        with FitSession(self, (X, condition), sample_weight, is_partial=True) as run:
            run.fit_loop()
        return self

    def fit_transform(self, X, y=None, sample_weight=None, *, condition=None):
        """Train on X, and encode it.

        Parameters
        ----------
        X : <X>
            <training_samples>
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each sample in the loss.
        condition : str, list of str, array-like or None, default=None
            As for ``fit``.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Codes, as ``transform`` returns them.
        """
        self.fit(X, y, sample_weight, condition=condition)
        of_columns = self._condition_reader is None or self._condition_reader.frame is not None
        return self.transform(X, condition=None if of_columns else condition)

    def _read_samples(self, data, sample_weight, resume):
        X, condition = data
        if condition is None and not (resume and self._condition_reader):
            self.__dict__.pop("_condition_reader", None)  # of an earlier fit
            return super()._read_samples((X,), sample_weight, resume)
        if not resume:
            self._condition_reader, X, conditions = ConditionReader().learn(X, condition)
        else:
            self._check_has_condition()
            X, conditions = self._condition_reader.split(X, condition)
        dataset = super()._read_samples((X,), sample_weight, resume)
        if len(conditions) != len(dataset):
            raise ValueError(
                f"condition holds {len(conditions)} rows, but X has {len(dataset)} samples. Give "
                "one row for each; names of columns are for an X that is a DataFrame."
            )
        return dataset.conditioned(conditions)

    def _read_validation(self, data):
        X, condition = data
        if self._condition_reader is None:
            return super()._read_validation((X,))
        X, conditions = self._condition_reader.split(X, condition, "condition_val")
        return super()._read_validation((X,)).conditioned(conditions)

    def _halves(self, architecture, dataset, encoder_width, code_width, loss):
        if dataset.n_conditions and architecture.code_has_places:
            raise ValueError(
                "condition is given beside the code, but the units of a spatial code have places: "
                "take a dense code."
            )
        halves = super()._halves(architecture, dataset, encoder_width, code_width, loss)
        if not dataset.n_conditions:
            return halves
        encoder = ConditionalEncoder(halves[0], dataset.n_conditions, encoder_width)
        return encoder, ConditionalDecoder(halves[1], dataset.n_conditions)

    # What a fitted model is given.

    def _check_has_condition(self):
        if self._condition_reader is None:
            raise ValueError(
                f"condition is given, but this {type(self).__name__} was fitted without one. Give "
                "condition to fit, too."
            )

    def _given(self, X, condition, to=None):
        """Return a model for samples of a condition, these samples, and their `Conditions`."""
        check_is_fitted(self)
        if self._condition_reader is None:
            if condition is not None or to is not None:
                self._check_has_condition()
            return self, X, None
        X, conditions = self._condition_reader.split(X, condition)
        if to is not None:
            conditions = conditions.to_be(self._condition_reader.read(to, "to"))
        return self._bound(conditions), X, conditions

    def _given_codes(self, condition, name="condition"):
        """Return a model that decodes codes under a condition, and this as `Conditions`."""
        check_is_fitted(self)
        if self._condition_reader is None:
            if condition is not None:
                self._check_has_condition()
            return self, None
        if condition is None:
            names = self._condition_reader.names
            raise ValueError(
                f"The model was fitted with a condition, {names}, and {name} is None. Give {name}, "
                "one row for each sample, or one for all."
            )
        conditions = self._condition_reader.read(condition, name)
        return self._bound(conditions), conditions

    def _bound(self, conditions):
        """Return a copy that reads samples with some conditions, and shares all else."""
        twin = object.__new__(type(self))
        vars(twin).update(vars(self), _reader=self._reader.given(conditions))
        twin._condition_reader = None
        return twin

    def _joined(self, rows, conditions):
        """Return samples with the columns of their condition, if X had these."""
        if conditions is None:
            return rows
        return self._condition_reader.joined(rows, conditions)

    # Methods of a fitted model.

    def reconstruct(self, X, *, condition=None, to=None):
        """Encode and decode X.

        Parameters
        ----------
        X : <X>
            <samples>
        condition : array-like, dict or scalar or None, default=None
            Condition of the samples, if ``fit`` was given one: one row for each, or one for all.
            A dict holds one row. None takes the columns of X, if ``fit`` was given names of
            columns.
        to : array-like, dict or scalar or None, default=None
            Condition to decode under, in the same forms: the samples as they would be if their
            condition were another one. None is their own.

        Returns
        -------
        X_reconstructed : <output>
            <reconstructed>
        """
        given, rows, conditions = self._given(X, condition, to)
        restored = super(Conditional, given).reconstruct(rows)
        return self._joined(restored, conditions and (conditions.to or conditions))

    @available_if(lambda self: self._reader_class.allows_missing)
    def impute(self, X, *, condition=None):
        """Fill the missing values of X with their reconstructions.

        This method needs an architecture for tables or for sequences.

        Parameters
        ----------
        X : <X_incomplete>
            Samples in which NaN, None or NA stands for a missing value.
        condition : array-like, dict or scalar or None, default=None
            As for ``reconstruct``.

        Returns
        -------
        X_imputed : <output>
            <imputed>
        """
        given, rows, conditions = self._given(X, condition)
        return self._joined(super(Conditional, given).impute(rows), conditions)

    def interpolate(self, X_a, X_b, n_steps=10, *, condition=None):
        """Return what is between pairs of samples: what codes on the line between theirs decode to.

        Parameters
        ----------
        X_a, X_b : <X>
            The samples of each pair: the first of X_a and the first of X_b, and so on.
        n_steps : int, default=10
            Number of codes on each line. The first and the last are those of the pair, so that
            they decode to its reconstructions.
        condition : array-like, dict or scalar or None, default=None
            Condition of both samples of each pair, if ``fit`` was given one, as for
            ``reconstruct``. None takes the columns of X_a and X_b, if ``fit`` was given names of
            columns, and decodes under the condition of X_a.

        Returns
        -------
        X_between : <output>
            ``n_pairs * n_steps`` samples in the form of the training samples, those of the first
            pair first. An array can be reshaped to (n_pairs, n_steps, ...). Lengths of sequences
            go from one to the other, too.

        Raises
        ------
        TypeError, ValueError
            If there are not as many samples in X_a as in X_b, or if ``n_steps`` is not an integer
            of at least 2.
        """
        check_scalar(n_steps, "n_steps", Integral, min_val=2)
        model_a, a, conditions = self._given(X_a, condition)
        model_b, b, _ = self._given(X_b, condition)
        ends = model_a._code_and_length(a), model_b._code_and_length(b)
        if conditions is None:
            return like_input(self._between(*ends, n_steps), X_a)
        conditions = conditions.for_samples(len(ends[0][0])).repeated(n_steps)
        samples = self._bound(conditions)._between(*ends, n_steps)
        return self._joined(like_input(samples, X_a), conditions)

    def inverse_transform(self, X, lengths=None, *, condition=None):
        """Decode codes.

        Parameters
        ----------
        X : <codes>
            Codes, as ``transform`` returns them.
        lengths : int, array-like of int of shape (n_samples,) or None, default=None
            <lengths>
        condition : array-like, dict or scalar or None, default=None
            Condition to decode under, if ``fit`` was given one: one row for each code, or one for
            all. A dict holds one row.

        Returns
        -------
        X_original : <output>
            <original>

        Raises
        ------
        ValueError
            If the codes in X have a wrong length, if ``lengths`` does not hold one positive
            integer for each code, if ``lengths`` is given for data other than sequences, or if
            the condition was not seen in ``fit``.
        """
        given, conditions = self._given_codes(condition)
        return self._joined(super(Conditional, given).inverse_transform(X, lengths), conditions)

    reconstruction_errors = given_condition(FittedAutoencoder.reconstruction_errors)
    feature_losses = given_condition(FittedAutoencoder.feature_losses)
    score = given_condition(FittedAutoencoder.score)
