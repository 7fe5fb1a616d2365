"""Nets that take their steps together: several dense ones of equal shapes. torch only.

The parameters of the nets are the rows of one matrix, and so are their gradients. Each
net's own tensors are views of its row: a step on the matrix is one for each net.
"""

import torch
from torch import nn

from skae._data.batches import side_by_side
from skae._runtime import computing
from skae._training.dense_step import dense_step
from skae._training.flat import FlatView, step_function
from skae._training.step import clip_rows


class Stack:
    """Runs whose nets take their steps together.

    It is to be closed; until then the nets share memory.

    Parameters
    ----------
    runs : list of TrainingRun
        Several of one stack key.
    """

    def __init__(self, runs):
        # The longest data sets first, those that can share an optimizer side by side.
        optimizer_groups = {}
        for run in sorted(runs, key=lambda run: -len(run.dataset)):
            optimizer_groups.setdefault(optimizer_key(run), []).append(run)
        self.runs = [run for group in optimizer_groups.values() for run in group]
        self.device = torch.device(self.runs[0].net.device)
        self._open_views()
        self.optimizer_groups = []
        for group in optimizer_groups.values():
            first = sum(len(other.runs) for other in self.optimizer_groups)
            self.optimizer_groups.append(OptimizerGroup(group, self.values, self.grads, first))
        self._steps = {}

    def _open_views(self):
        """Give each net its row of the matrices."""
        flats = [run.net.flat for run in self.runs]
        self.values = flats[0].new_empty(len(flats), flats[0].numel()).detach()
        self.grads = torch.zeros_like(self.values)
        self.views, self._hooks = [], []
        for run, flat, values, grads in zip(self.runs, flats, self.values, self.grads, strict=True):
            flat.data = values
            self.views.append(FlatView(run.net.module_, flat, grad=grads).__enter__())
            hook = run.net.module_.register_state_dict_post_hook(_without_the_others)
            self._hooks.append(hook)

    def close(self):
        """Give the nets memory of their own, and the optimizers what they keep of each."""
        for group in self.optimizer_groups:
            group.close()
        for view in self.views:
            view.__exit__()
            view.flat.data = view.flat.detach().clone()
        for hook in self._hooks:
            hook.remove()
        for run in self.runs:
            run.net.module_.eval()

    def is_outdated(self):
        """Say whether callbacks have changed what nets have in common, or frozen layers."""
        for group in self.optimizer_groups:
            if len({optimizer_key(run) for run in group.runs}) > 1:
                return True
        return any(view.is_outdated() for view in self.views)

    def run_single_epoch(self):
        """Take a step on each batch, and return the mean losses, a list."""
        totals = torch.zeros(len(self.runs), device=self.device)
        for group in self.optimizer_groups:
            group.begin_epoch()
        for which, batch in side_by_side([run.batches for run in self.runs], self.device):
            losses = self._step(which).take(batch)
            totals[which].add_(losses, alpha=batch[0].shape[-2])
        for group in self.optimizer_groups:
            group.end_epoch()
        return [t / len(run.dataset) for t, run in zip(totals.tolist(), self.runs, strict=True)]

    def _step(self, which):
        """Return the step of some of the nets, which make up whole groups."""
        key = which.start, which.stop
        if key not in self._steps:
            groups = [group for group in self.optimizer_groups if group.is_within(which)]
            self._steps[key] = StackStep(self.runs[which], groups, self.grads[which])
        return self._steps[key]


def _without_the_others(module, state, *_):
    """Give what keeps or writes a net's weights memory without that of the other nets."""
    for name, value in state.items():
        if not isinstance(value, nn.Parameter):
            state[name] = value.clone()


def optimizer_key(run):
    """Return what has to be equal for runs to share an optimizer and its numbers, a text."""
    net, flat = run.net, run.net.flat
    if flat is None or callable(net.lr_schedule):
        return str(id(run))
    group, state = net.optimizer_.param_groups[0], net.optimizer_.state.get(flat, {})
    settings = [(name, repr(value)) for name, value in group.items() if name != "params"]
    clocks = [(name, repr(value)) for name, value in state.items() if not _is_like(value, flat)]
    steps = len(run.dataset), run.n_steps, run.steps_taken
    return repr((settings, clocks, net.lr, net.lr_schedule, steps))


def _is_like(value, flat):
    return isinstance(value, torch.Tensor) and value.shape == flat.shape


class OptimizerGroup:
    """Runs whose nets share an optimizer, since its numbers are equal for all.

    Parameters
    ----------
    runs : list of TrainingRun
    values, grads : tensor of shape (n_nets, n_parameters)
        Of all nets of the stack.
    first : int
        Row of the first net.
    """

    def __init__(self, runs, values, grads, first):
        self.runs, self.first = runs, first
        rows = slice(first, first + len(runs))
        self.flat = nn.Parameter(values[rows])
        self.flat.grad = grads[rows]
        self.optimizer = self._optimizer_of_all(runs[0].net)
        self.step = step_function(self.optimizer, self.flat)

    def _optimizer_of_all(self, net):
        args, kwargs = net.get_params_for_optimizer("optimizer", [("flat", self.flat)])
        optimizer = net.optimizer(*args, **kwargs)
        kept = [run.net.optimizer_.state.get(run.net.flat, {}) for run in self.runs]
        for name, value in kept[0].items():
            if _is_like(value, self.runs[0].net.flat):
                value = torch.stack([state[name] for state in kept])
            optimizer.state[self.flat][name] = _copy(value)
        return optimizer

    def is_within(self, which):
        """Say whether the nets are among those of a slice."""
        return which.start <= self.first < which.stop

    def begin_epoch(self):
        """Take up the settings of the nets' own optimizers, which callbacks may have changed."""
        own = self.runs[0].net.optimizer_.param_groups[0]
        self.optimizer.param_groups[0].update({k: v for k, v in own.items() if k != "params"})

    def after_step(self):
        """Count a step, and set the learning rate of the next."""
        self.runs[0].steps_taken += 1
        self.runs[0].set_learning_rate(self.optimizer)

    def end_epoch(self):
        """Let each run know what is counted once for all."""
        for run in self.runs:
            run.steps_taken = self.runs[0].steps_taken
            run.set_learning_rate(run.net.optimizer_)
            # By this, torch's schedulers see whether there were steps before theirs.
            run.net.optimizer_._opt_called = True

    def close(self):
        """Let each net's own optimizer have what the common one keeps of it."""
        for i, run in enumerate(self.runs):
            state = run.net.optimizer_.state[run.net.flat]
            for name, value in self.optimizer.state[self.flat].items():
                state[name] = _copy(value[i] if _is_like(value, self.flat) else value)


def _copy(value):
    return value.clone() if isinstance(value, torch.Tensor) else value


class StackStep:
    """Steps of the optimizers of nets side by side.

    Parameters
    ----------
    runs : list of TrainingRun
    optimizer_groups : list of OptimizerGroup
    grads : tensor of shape (n_nets, n_parameters)
    """

    def __init__(self, runs, optimizer_groups, grads):
        self.runs, self.optimizer_groups, self.grads = runs, optimizer_groups, grads
        self.modules = [run.net.module_ for run in runs]
        self.dense_step = dense_step(*self.modules)
        bounds = [run.net.max_grad_norm for run in runs]
        self.max_grad_norms = None
        if any(bound is not None for bound in bounds):
            bounds = [float("inf") if bound is None else bound for bound in bounds]
            self.max_grad_norms = grads.new_tensor(bounds)

    def take(self, batch):
        """Take the step on a batch, and return the loss of each net before it."""
        x, (target, weight, labels) = batch
        states = [run.state() for run in self.runs]
        with computing:
            x, target, cell_weight = self._training_inputs(x, target, states)
            losses = self.dense_step(x, target, weight, cell_weight, states, labels)
        if self.max_grad_norms is not None:
            clip_rows(self.grads, self.max_grad_norms)
        for group in self.optimizer_groups:
            group.step()
            group.after_step()
        return losses

    def _training_inputs(self, x, target, states):
        """Let each module damage what it gets in training."""
        first, *others = self.modules
        if first.corruption is None:
            return x, target, None
        if not others:
            return first.training_inputs(x, target, *states)
        each = zip(self.modules, x, states, strict=True)
        damaged, _, weights = zip(
            *(module.training_inputs(x, x, state) for module, x, state in each), strict=True
        )
        return torch.stack(damaged), target, None if weights[0] is None else torch.stack(weights)
