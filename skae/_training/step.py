"""Steps of the optimizer of one net. torch only."""

from contextlib import nullcontext

import torch
from torch import nn

from skae._runtime import computing
from skae._training.dense_step import dense_step
from skae._training.flat import FlatView, step_function


class NetStep:
    """Steps of the optimizer of one net.

    Until it is closed, the parameters of the net are views of one vector, if they can be.

    Parameters
    ----------
    run : TrainingRun
    """

    def __init__(self, run):
        self.run, self.net, self.module = run, run.net, run.net.module_
        self.flat, self.view, self.dense_step = self.net.flat, None, None
        if self.flat is not None:
            self.view = FlatView(self.module, self.flat, self.net.precision).__enter__()
            self.update = step_function(self.net.optimizer_, self.flat)
            self.dense_step = dense_step(self.module)

    def is_outdated(self):
        """Say whether callbacks have frozen or thawed layers."""
        return self.view is not None and self.view.is_outdated()

    def close(self):
        """Give the net memory of its own, and leave it as it is used outside of training."""
        if self.view is not None:
            self.view.__exit__()
        self.module.eval()

    def train_step(self, batch):
        """Take a step on a batch, and return the loss before it."""
        with computing:
            if self.flat is None:  # an optimizer such as LBFGS asks for several losses in a step
                loss = self.net.optimizer_.step(lambda: self.train_step_single(batch))
            else:
                loss = self.train_step_single(batch)
                self.update()
                self.view.copy_values_to_module()
        self.run.count_step()
        return loss.detach()

    def train_step_single(self, batch):
        """Fill the gradients of the parameters, and return the loss."""
        x, (target, weight, labels) = batch
        run, module = self.run, self.module
        state = run.state()
        with run.drawing():
            x, target, cell_weight = module.training_inputs(x, target, state)
            if self.dense_step is not None:
                loss = self.dense_step(x, target, weight, cell_weight, [state], labels)
            else:
                module.train()
                self.net.optimizer_.zero_grad(set_to_none=self.view is None)
                with nullcontext() if self.view is not None else self.net.autocast():
                    loss = module.objective(x, target, weight, cell_weight, state, labels)
                loss.backward()
        if run.notifies_batches:
            run.notify_of_gradients(batch)
        if self.view is not None:
            self.view.collect_gradients()
        if self.net.max_grad_norm is not None:
            self._clip(self.net.max_grad_norm)
        return loss

    def _clip(self, max_grad_norm):
        """Scale the gradient down to its bound, if it is longer."""
        if self.view is None:
            nn.utils.clip_grad_norm_(self.module.parameters(), max_grad_norm)
        else:
            clip_rows(self.flat.grad[None], self.flat.new_tensor([max_grad_norm]))


def clip_rows(grads, max_norms):
    """Scale each gradient down to its bound, if it is longer.

    Parameters
    ----------
    grads : tensor of shape (n_nets, n_parameters)
    max_norms : tensor of shape (n_nets,)
    """
    norms = torch.linalg.vector_norm(grads, dim=1)
    grads.mul_((max_norms / (norms + 1e-6)).clamp_max(1.0)[:, None])
