"""Nets that take their steps together: one, or several of equal shapes. torch only.

The parameters of several nets are the rows of one matrix, and so are their gradients. Each
net's own tensors are views of its row: a step on the matrix is one for each net.
"""

from contextlib import ExitStack, nullcontext

import torch
from torch import nn

from skae._data.batches import side_by_side
from skae._runtime import TrainState, threads
from skae._training.dense_step import dense_step
from skae._training.flat import FlatView, step_function


class Stack:
    """Trainings whose nets take their steps together.

    It is to be closed; until then the nets share memory.

    Parameters
    ----------
    trainings : list of TrainingRun
        One, or several of one stack key.
    """

    def __init__(self, trainings):
        # The longest data sets first, those that can share an optimizer side by side.
        optimizer_groups = {}
        for training in sorted(trainings, key=lambda training: -len(training.dataset)):
            optimizer_groups.setdefault(optimizer_key(training), []).append(training)
        self.trainings = [training for group in optimizer_groups.values() for training in group]
        self.module = self.trainings[0].net.module_
        self.device = torch.device(self.trainings[0].net.device)
        self._open_views()
        self.optimizer_groups = []
        for group in optimizer_groups.values():
            first = sum(len(other.trainings) for other in self.optimizer_groups)
            self.optimizer_groups.append(OptimizerGroup(group, self.values, self.grads, first))
        self._steps = {}

    def _open_views(self):
        """Give each net its row of the matrices, if its parameters can be one vector."""
        flats = [training.flat for training in self.trainings]
        self.values = self.grads = None
        self.views, self._hooks = [], []
        if flats[0] is None:
            return
        self.values = flats[0].new_empty(len(flats), flats[0].numel()).detach()
        self.grads = torch.zeros_like(self.values)
        rows = zip(self.trainings, flats, self.values, self.grads, strict=True)
        for training, flat, values, grads in rows:
            flat.data = values
            view = FlatView(training.net.module_, flat, training.net.precision, grads)
            self.views.append(view.__enter__())
            if len(flats) > 1:
                module = training.net.module_
                self._hooks.append(module.register_state_dict_post_hook(_without_the_others))

    def close(self):
        """Give the nets memory of their own, and the optimizers what they keep of each."""
        for group in self.optimizer_groups:
            group.close()
        for view in self.views:
            view.__exit__()
            view.flat.data = view.flat.detach().clone()
        for hook in self._hooks:
            hook.remove()
        for training in self.trainings:
            training.net.module_.eval()

    def is_outdated(self):
        """Say whether callbacks have changed what nets have in common, or frozen layers."""
        if any(
            len({optimizer_key(t) for t in group.trainings}) > 1 for group in self.optimizer_groups
        ):
            return True
        return any(view.is_outdated() for view in self.views)

    def run_epoch(self):
        """Pass over the data once.

        Returns
        -------
        list of tuple (Training, float)
            The mean losses.
        """
        is_one = len(self.trainings) == 1
        totals = torch.zeros(len(self.trainings), device=self.device)
        counts = [0 if is_one else len(training.dataset) for training in self.trainings]
        with ExitStack() as contexts:
            # One thread for several nets: two would wait for each other at every product, the
            # longer the busier the machine is. Processes share such work better.
            n_multiplications = (
                self.trainings[0].net.batch_size * self.module.n_multiplications if is_one else 0
            )
            contexts.enter_context(threads(n_multiplications))
            for group in self.optimizer_groups:
                group.begin_epoch()
            for which, batch in self._batches():
                losses = self._step(which).take(batch)
                size = self.module.size(batch[1][0]) if is_one else batch[0].shape[-2]
                totals[which].add_(losses, alpha=size)
                counts[0] += size if is_one else 0
        for group in self.optimizer_groups:
            group.end_epoch()
        means = [total / count for total, count in zip(totals.tolist(), counts, strict=True)]
        return list(zip(self.trainings, means, strict=True))

    def _batches(self):
        many = [training.batches for training in self.trainings]
        if len(many) > 1:
            return side_by_side(many, self.device)
        return ((slice(0, 1), batch) for batch in many[0])

    def _step(self, which):
        """Return the step of some of the nets, which make up whole groups."""
        key = which.start, which.stop
        if key not in self._steps:
            optimizer_groups = [group for group in self.optimizer_groups if group.is_within(which)]
            self._steps[key] = Step(self, self.trainings[which], optimizer_groups, which)
        return self._steps[key]


def _without_the_others(module, state, *_):
    """Give what keeps or writes a net's weights memory without that of the other nets."""
    for name, value in state.items():
        if not isinstance(value, nn.Parameter):
            state[name] = value.clone()


def optimizer_key(training):
    """Return what has to be equal for trainings to share an optimizer and its numbers, a text."""
    net, flat = training.net, training.flat
    if flat is None or callable(net.lr_schedule):
        return str(id(training))
    group, state = net.optimizer_.param_groups[0], net.optimizer_.state.get(flat, {})
    settings = [(name, repr(value)) for name, value in group.items() if name != "params"]
    clocks = [(name, repr(value)) for name, value in state.items() if not _is_like(value, flat)]
    steps = len(training.dataset), training.n_steps, training.steps_taken
    return repr((settings, clocks, net.lr, net.lr_schedule, steps))


def _is_like(value, flat):
    return isinstance(value, torch.Tensor) and value.shape == flat.shape


class OptimizerGroup:
    """Trainings whose nets share an optimizer, since its numbers are equal for all.

    Parameters
    ----------
    trainings : list of TrainingRun
    values, grads : tensor of shape (n_nets, n_parameters) or None
        Of all nets of the stack; None for a net whose parameters are no vector.
    first : int
        Row of the first net.
    """

    def __init__(self, trainings, values, grads, first):
        self.trainings, self.first = trainings, first
        net = trainings[0].net
        self.optimizer, self.flat, self.step = net.optimizer_, trainings[0].flat, None
        if len(trainings) > 1:
            rows = slice(first, first + len(trainings))
            self.flat = nn.Parameter(values[rows])
            self.flat.grad = grads[rows]
            self.optimizer = self._optimizer_of_all(net)
        if self.flat is not None:
            self.step = step_function(self.optimizer, self.flat)

    def _optimizer_of_all(self, net):
        args, kwargs = net.get_params_for_optimizer("optimizer", [("flat", self.flat)])
        optimizer = net.optimizer(*args, **kwargs)
        kept = [t.net.optimizer_.state.get(t.flat, {}) for t in self.trainings]
        for name, value in kept[0].items():
            if _is_like(value, self.trainings[0].flat):
                value = torch.stack([state[name] for state in kept])
            optimizer.state[self.flat][name] = _copy(value)
        return optimizer

    def is_within(self, which):
        """Say whether the nets are among those of a slice."""
        return which.start <= self.first < which.stop

    def begin_epoch(self):
        """Take up the settings of the nets' own optimizers, which callbacks may have changed."""
        own, common = self.trainings[0].net.optimizer_.param_groups, self.optimizer.param_groups
        if len(self.trainings) > 1:
            common[0].update({k: v for k, v in own[0].items() if k != "params"})

    def after_step(self):
        """Count a step, and set the learning rate of the next."""
        first = self.trainings[0]
        first.steps_taken += 1
        first.set_learning_rate(self.optimizer)

    def states(self):
        """Return the `TrainState` of each net."""
        progress = self.trainings[0].progress  # the same for all
        return [TrainState(progress if t.net.anneals else 1.0, t.noise) for t in self.trainings]

    def end_epoch(self):
        """Let each training know what is counted once for all."""
        for i, training in enumerate(self.trainings):
            if training.is_watched:
                self._hand_over(i)
            training.steps_taken = self.trainings[0].steps_taken
            training.set_learning_rate(training.net.optimizer_)
            # By this, torch's schedulers see whether there were steps before theirs.
            training.net.optimizer_._opt_called = True

    def close(self):
        """Let each net's own optimizer have what the common one keeps of it."""
        for i in range(len(self.trainings)):
            self._hand_over(i)

    def _hand_over(self, i):
        if len(self.trainings) == 1:
            return
        training = self.trainings[i]
        state = training.net.optimizer_.state[training.flat]
        for name, value in self.optimizer.state[self.flat].items():
            state[name] = _copy(value[i] if _is_like(value, self.flat) else value)


def _copy(value):
    return value.clone() if isinstance(value, torch.Tensor) else value


class Step:
    """One step of the optimizers of nets side by side.

    Parameters
    ----------
    stack : Stack
    trainings : list of TrainingRun
    optimizer_groups : list of OptimizerGroup
    which : slice
        Of the stack's trainings.
    """

    def __init__(self, stack, trainings, optimizer_groups, which):
        self.trainings, self.optimizer_groups = trainings, optimizer_groups
        self.nets = [training.net for training in trainings]
        self.modules = [net.module_ for net in self.nets]
        self.view = stack.views[0] if len(stack.views) == 1 else None
        self.grads = None if stack.grads is None else stack.grads[which]
        self.dense_step = None if self.grads is None else dense_step(*self.modules)
        bounds = [net.max_grad_norm for net in self.nets]
        self.max_grad_norm = None
        if any(bound is not None for bound in bounds):
            bounds = [float("inf") if bound is None else bound for bound in bounds]
            self.max_grad_norm = torch.tensor(bounds, device=stack.device)

    def take(self, batch):
        """Take the step on a batch, and return the loss of each net before it."""
        if self.trainings[0].notifies_batches:  # then there is one net
            losses = self.nets[0].notify_of(batch, self._take, training=True)
        else:
            losses = self._take(batch)
        for report in self.trainings[0].reports:
            report(self.modules[0].size(batch[1][0]))
        return losses

    def _take(self, batch):
        if self.grads is None:
            losses = self.optimizer_groups[0].optimizer.step(lambda: self._gradients(batch))
        else:
            losses = self._gradients(batch)
            for group in self.optimizer_groups:
                group.step()
            if self.view is not None:
                self.view.copy_values_to_module()
        for group in self.optimizer_groups:
            group.after_step()
        return losses.detach()

    def _gradients(self, batch):
        """Fill the parameters' gradients, and return the losses."""
        losses = self._losses_and_gradients(batch)
        if self.trainings[0].notifies_batches:
            net = self.nets[0]
            seen = batch[0], batch[1][0]
            named_parameters = net.get_all_learnable_params()
            net.notify("on_grad_computed", named_parameters=named_parameters, batch=seen)
        if self.view is not None:
            self.view.collect_gradients()
        if self.max_grad_norm is not None:
            self._clip()
        return losses

    def _clip(self):
        """Scale the gradient of each net down to its bound, if it is longer."""
        if self.grads is None:
            nn.utils.clip_grad_norm_(self.modules[0].parameters(), self.max_grad_norm.item())
            return
        norms = torch.linalg.vector_norm(self.grads, dim=1)
        self.grads.mul_((self.max_grad_norm / (norms + 1e-6)).clamp_max(1.0)[:, None])

    def _losses_and_gradients(self, batch):
        x, (target, weight) = batch
        states = [state for group in self.optimizer_groups for state in group.states()]
        x, target, cell_weight = self._prepare(x, target, states)
        if self.dense_step is not None:
            return self.dense_step(x, target, weight, cell_weight, states)
        # A faster step stands in for autograd elsewhere.
        net, module = self.nets[0], self.modules[0]
        module.train()
        net.optimizer_.zero_grad(set_to_none=self.grads is None)
        with net.autocast() if self.grads is None else nullcontext():
            loss = module.objective(x, target, weight, cell_weight, states[0])
        loss.backward()
        return loss

    def _prepare(self, x, target, states):
        """Let the modules damage what they get in training."""
        if len(self.modules) == 1:
            return self.modules[0].training_inputs(x, target, states[0])
        if self.modules[0].corruption is None:
            return x, target, None
        each = zip(self.modules, x, states, strict=True)
        damaged, _, weights = zip(
            *(m.training_inputs(x, x, state) for m, x, state in each), strict=True
        )
        return torch.stack(damaged), target, None if weights[0] is None else torch.stack(weights)
