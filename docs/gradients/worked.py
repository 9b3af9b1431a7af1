"""The numbers of docs/gradients.md, from netdef itself: `python docs/gradients/worked.py` prints every block by name."""
from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

import netdef

HERE = Path(__file__).resolve().parent
Array = np.ndarray


def main() -> None:
    """Print the blocks, or those that are named."""
    blocks = all_blocks()
    for name in sys.argv[1:] or blocks:
        print(f"{name}:\n{blocks[name]}\n")


def all_blocks() -> dict[str, str]:
    """Every block of numbers of the page by its name."""
    return {**curve_blocks(), **worked_blocks()}


# one number ---------------------------------------------------------------------------------------------------


def cube(x: np.floating) -> np.floating:
    """Products only, so that every computer rounds alike."""
    return x * x * x


def curve_blocks() -> dict[str, str]:
    """Steps of many sizes for the slope of x^3 at 1.3, and two-sided steps over a kink."""
    lines = [f"{'step':>8}{'one-sided':>16}{'error':>10}{'central':>16}{'error':>10}{'central, float32':>20}{'error':>10}"]
    right = 3 * 1.3 * 1.3
    for power in (1, 2, 3, 4, 5, 6, 8, 10, 12):
        h = float(f"1e-{power}")
        one = (cube(np.float64(1.3 + h)) - cube(np.float64(1.3))) / h
        two = central(cube, 1.3, h, np.float64)
        low = central(cube, 1.3, h, np.float32)
        lines.append(f"{h:>8.0e}{one:>16.10f}{abs(one - right):>10.0e}{two:>16.10f}{abs(two - right):>10.0e}"
                     f"{low:>20.6f}{abs(low - right):>10.0e}")
    kink = [f"{'x':>8}{'step':>8}{'left':>8}{'right':>8}{'central':>9}"]
    for x, h in ((0.0, 1e-5), (4e-6, 1e-5), (4e-6, 1e-6), (0.5, 1e-5)):
        left, ahead = (relu(x) - relu(x - h)) / h, (relu(x + h) - relu(x)) / h
        kink.append(f"{x:>8g}{h:>8.0e}{left:>8.4f}{ahead:>8.4f}{(left + ahead) / 2:>9.4f}")
    return {"steps": "\n".join(lines), "kink": "\n".join(kink)}


def central(f: Callable[[np.floating], np.floating], x: float, step: float, number: type[np.floating]) -> float:
    """The central difference, all of it in one format of numbers."""
    h, at = number(step), number(x)
    return float((f(number(at + h)) - f(number(at - h))) / number(2 * h))


def relu(x: float) -> float:
    """x where it is positive, else 0."""
    return max(x, 0.0)


# the worked net -----------------------------------------------------------------------------------------------


def worked_blocks() -> dict[str, str]:
    """Values and gradients of net.prototxt, in float64."""
    with netdef.Net(HERE / "net.prototxt", phase="TRAIN", dtype="float64") as net:
        net.forward()
        net.backward()
        kernel = net.params["conv"][0]
        blocks = {name: rows(net.blobs[name].data) for name in ("data", "target", "conv", "pool", "sigmoid", "ip")}
        blocks |= {f"delta_{name}": rows(net.blobs[name].diff) for name in ("ip", "sigmoid", "pool", "conv", "data")}
        blocks |= {f"{layer}_{what}": rows(blob.data) for layer, what, blob in params(net)}
        blocks |= {f"gradient_{layer}_{what}": rows(blob.diff) for layer, what, blob in params(net)}
        blocks["flipped"] = rows(kernel.data[..., ::-1, ::-1])
        blocks["passed"] = passed_to(net)
        blocks["loss"] = f"{net.loss:.4f}"
        blocks["sum"] = first_sum(net)
        blocks["one_value"] = one_value(net)
        blocks |= {"right": rows(kernel.diff), "wrong": rows(wrong_kernel())}
        blocks |= {"differences": differences(net), "by_hand": by_hand(net), "direction": direction(net)}
        net.forward()  # with the kernel as it was
        net.clear_param_diffs()
        net.backward(start="ip", ip=[[1.0, 0.0]])
        blocks["other"] = rows(kernel.diff)
        return blocks


def params(net: netdef.Net) -> list[tuple[str, str, netdef.Blob]]:
    """(layer, kernel or bias, blob) of the four params."""
    return [(layer, what, blob) for layer in ("conv", "ip")
            for what, blob in zip(("kernel", "bias"), net.params[layer], strict=True)]


def rows(array: Array) -> str:
    """Numbers to four digits, a line a row."""
    flat = array.reshape(-1, array.shape[-1])
    return "\n".join("".join(f"{v + 0.0:>9.4f}" for v in np.round(row, 4)) for row in flat)


def passed_to(net: netdef.Net) -> str:
    """Which place of each window won, from the convolution's output."""
    conv = net.blobs["conv"].data[0, 0]
    lines = []
    for i in (0, 2):
        for j in (0, 2):
            window = conv[i:i + 2, j:j + 2]
            a, b = np.unravel_index(int(window.argmax()), (2, 2))
            lines.append(f"pool[{i // 2}, {j // 2}] = {window.max():.4f} came from conv[{i + a}, {j + b}]")
    return "\n".join(lines)


def first_sum(net: netdef.Net) -> str:
    """The top left number of the kernel's gradient, written out."""
    data, delta = net.blobs["data"].data[0, 0], net.blobs["conv"].diff[0, 0]
    terms = [f"{data[i, j]:.1f} x {delta[i, j]:.4f}" for i, j in zip(*np.nonzero(delta), strict=True)]
    return f"{' + '.join(terms)} = {(data[:4, :4] * delta).sum():.4f}"


def one_value(net: netdef.Net) -> str:
    """The gradient by data[1, 1], written out: the four outputs that read it."""
    kernel, delta = net.params["conv"][0].data[0, 0], net.blobs["conv"].diff[0, 0]
    terms = [f"{kernel[1 - i, 1 - j]:.1f} x {delta[i, j] + 0.0:.4f}" for i in (0, 1) for j in (0, 1)]
    return f"{' + '.join(terms)} = {net.blobs['data'].diff[0, 0, 1, 1]:.4f}"


def moved(net: netdef.Net, change: Array) -> float:
    """The loss with something added to the kernel."""
    kernel = net.params["conv"][0].data
    old = kernel.copy()
    kernel += change.reshape(kernel.shape)
    net.forward()
    kernel[...] = old
    return net.loss


def differences(net: netdef.Net, step: float = 1e-5) -> str:
    """Central differences for the four numbers of the kernel."""
    slopes = [(moved(net, step * unit) - moved(net, -step * unit)) / (2 * step) for unit in np.eye(4)]
    return rows(np.array(slopes).reshape(2, 2))


def by_hand(net: netdef.Net, step: float = 1e-3) -> str:
    """One of them in full."""
    up, down = (moved(net, sign * step * np.eye(4)[0]) for sign in (1, -1))
    return (f"loss with kernel[0, 0] = {0.5 + step:.3f}   {up:.6f}\nloss with kernel[0, 0] = {0.5 - step:.3f}   {down:.6f}\n"
            f"difference / {2 * step:.3f}            {(up - down) / (2 * step):.4f}")


def direction(net: netdef.Net, step: float = 1e-5) -> str:
    """One direction instead of four numbers."""
    along = np.array([0.5, -0.5, 0.5, 0.5])
    slope = (moved(net, step * along) - moved(net, -step * along)) / (2 * step)
    dot = float((net.params["conv"][0].diff.reshape(-1) * along).sum())
    return f"direction            {'  '.join(f'{a:.1f}' for a in along)}\nby differences       {slope:.4f}\n" \
           f"gradient . direction {dot:.4f}"


def wrong_kernel() -> Array:
    """The kernel's gradient of wrong_kernel.prototxt."""
    with netdef.Net(HERE / "wrong_kernel.prototxt", phase="TRAIN", dtype="float64") as net:
        net.forward()
        net.backward()
        return net.params["conv"][0].diff.copy()


if __name__ == "__main__":
    main()
