"""A streaming acoustic model: convolutions over time that see the past and a little of what follows, with CTC on top.

Everything is causal with a delay: a layer that looks `ahead` frames ahead gives its output that much later, and its
shortcut is delayed as well. So a sound heard in pieces, each layer keeping the last frames it saw, gives exactly what
the same sound gives at once, and training computes what runs. Batch normalisation is folded into the convolutions for
export: what is left is Conv, Relu and Add, which every engine has. After Collobert et al. 2016 (Wav2Letter,
arXiv 1609.03193) and He et al. 2016 (arXiv 1603.05027).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from appliance.speech.ctc.bank import BANDS

_BLANK = 4.0
"""What the blank begins with: it is what most frames are."""


@dataclass(frozen=True)
class Shape:
    """Sizes of the network."""

    units: int
    """Classes, the blank among them."""
    width: int = 288
    """Channels of every layer."""
    layers: int = 12
    """Residual layers."""
    kernel: int = 3
    """Frames of 40 ms that a layer sees."""
    front: int = 5
    """Frames that each of the two first convolutions sees; each halves the frame rate."""
    every: int = 3
    """Every so many layers one looks a frame ahead."""
    dropout: float = 0.05
    """Share of channels that are silenced in training."""

    @property
    def delay(self) -> int:
        """Output frames by which the network is late: what it looks ahead."""
        return sum(self.ahead(layer) for layer in range(self.layers))

    def ahead(self, layer: int) -> int:
        """Frames that a layer looks ahead: 1 or 0."""
        return int(layer % self.every == 0)


class Layer(nn.Module):
    """A residual layer: relu(x delayed + norm(conv(x)))."""

    def __init__(self, width: int, kernel: int, ahead: int, dropout: float) -> None:
        super().__init__()
        self.keep = kernel - 1
        """Frames of the past that it needs."""
        self.ahead = ahead
        self.conv = nn.Conv2d(width, width, (1, kernel), bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, 1, keep + n), the first `keep` of them past ones, to (batch, width, 1, n)."""
        count = x.shape[3] - self.keep
        begin = self.keep - self.ahead
        return torch.relu(x[..., begin : begin + count] + self.dropout(self.norm(self.conv(x))))


class Front(nn.Module):
    """A convolution that halves the frame rate."""

    def __init__(self, inputs: int, width: int, kernel: int) -> None:
        super().__init__()
        self.keep = kernel - 2
        self.conv = nn.Conv2d(inputs, width, (1, kernel), stride=(1, 2), bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, 1, keep + 2 n) to (batch, width, 1, n)."""
        return torch.relu(self.norm(self.conv(x)))


class Acoustic(nn.Module):
    """Log-mel features to logits of units, a frame of 40 ms each."""

    def __init__(self, shape: Shape, parts: Tensor) -> None:
        """`parts` (units, parts) says what the units are made of (`units.parts`): they share those weights."""
        super().__init__()
        self.shape = shape
        self.register_buffer("mean", torch.zeros(BANDS))
        self.register_buffer("scale", torch.ones(BANDS))
        self.register_buffer("parts", parts)
        self.front = nn.ModuleList(
            (Front(BANDS, shape.width, shape.front), Front(shape.width, shape.width, shape.front))
        )
        self.layers = nn.ModuleList(
            Layer(shape.width, shape.kernel, shape.ahead(layer), shape.dropout) for layer in range(shape.layers)
        )
        self.of_parts = nn.Parameter(
            torch.randn(parts.shape[1], shape.width) * (parts.sum(1).mean() * shape.width) ** -0.5
        )
        self.bias = nn.Parameter(torch.zeros(shape.units))
        with torch.no_grad():
            self.bias[0] = _BLANK

    def weight(self) -> Tensor:
        """The output layer's weights, (units, width)."""
        return self.parts @ self.of_parts

    def forward(self, features: Tensor) -> Tensor:
        """(batch, 4 n, BANDS) features, nothing before them, to (batch, n, units) logits, `shape.delay` frames late."""
        # Pictures of height 1, whose channels lie beside each other in memory: that way the convolutions are fastest.
        x = ((features - self.mean) * self.scale).transpose(1, 2)[:, :, None]
        for module in (*self.front, *self.layers):
            x = module(nn.functional.pad(x, (module.keep, 0)))
        with torch.autocast(x.device.type, enabled=False):  # half precision is too coarse for a thousand logits
            return x[:, :, 0].transpose(1, 2).float() @ self.weight().T + self.bias


class Streaming(nn.Module):
    """What goes into the ONNX file: the same on a piece of sound, with what every layer keeps as inputs and outputs."""

    def __init__(self, model: Acoustic) -> None:
        """Fold the normalisation of `model` (left as it is) into convolutions."""
        super().__init__()
        self.shape = model.shape
        self.register_buffer("mean", model.mean.clone())
        self.register_buffer("scale", model.scale.clone())
        self.front = nn.ModuleList(_folded(module.conv, module.norm) for module in model.front)
        self.layers = nn.ModuleList(_folded(module.conv, module.norm) for module in model.layers)
        self.out = nn.Conv1d(model.shape.width, model.shape.units, 1)
        with torch.no_grad():
            self.out.weight.copy_(model.weight()[:, :, None])
            self.out.bias.copy_(model.bias)

    def state(self) -> tuple[Tensor, Tensor, Tensor]:
        """What stands before the first piece: nothing heard yet."""
        shape = self.shape
        return (
            torch.zeros(1, BANDS, shape.front - 2),
            torch.zeros(1, shape.width, shape.front - 2),
            torch.zeros(shape.layers, shape.width, shape.kernel - 1),
        )

    def forward(self, features: Tensor, mel: Tensor, half: Tensor, past: Tensor) -> tuple[Tensor, ...]:
        """(1, 4 n, BANDS) and the three states to log-probabilities (1, n, units) and the next states."""
        keep = self.shape.front - 2
        x = torch.cat((mel, ((features - self.mean) * self.scale).transpose(1, 2)), 2)
        next_mel = x[:, :, -keep:]
        x = torch.cat((half, torch.relu(self.front[0](x))), 2)
        next_half = x[:, :, -keep:]
        x = torch.relu(self.front[1](x))
        keep = self.shape.kernel - 1
        kept = []
        for number, conv in enumerate(self.layers):
            x = torch.cat((past[number : number + 1], x), 2)
            kept.append(x[:, :, -keep:])
            begin = keep - self.shape.ahead(number)
            end = -self.shape.ahead(number) or x.shape[2]
            x = torch.relu(x[:, :, begin:end] + conv(x))
        return torch.log_softmax(self.out(x).transpose(1, 2), 2), next_mel, next_half, torch.cat(kept, 0)


def _folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv1d:
    """One convolution over time that does what both do when nothing is trained (inference)."""
    made = nn.Conv1d(conv.in_channels, conv.out_channels, conv.kernel_size[1], stride=conv.stride[1])
    assert norm.running_var is not None
    assert norm.running_mean is not None
    assert made.bias is not None
    with torch.no_grad():
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        made.weight.copy_(conv.weight[:, :, 0] * gain[:, None, None])
        made.bias.copy_(norm.bias - norm.running_mean * gain)
    return made
