"""Attacks: how far they go, what they reach, and that written pictures still fool."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.data.preprocessing import Preprocessing
from netdef.errors import NetdefError
from netdef.probe.attack import Attack, attack
from netdef.probe.pictures import write_picture
from netdef.probe.space import Space, reread
from netdef.probe.subject import Probe

WAYS = {"scaled": Preprocessing(scale=(0.00390625,)), "mean": Preprocessing(mean_value=(90,), scale=(0.02,)),
        "inverted": Preprocessing(invert=True, scale=(0.00390625,))}


@pytest.fixture
def probe(small):
    return Probe(*small)


def pictures(space, count=12, seed=0):
    """Whole pixels, many of them at the ends."""
    units = np.clip(np.round(np.random.default_rng(seed).normal(0.5, 0.4, (count, *space.shape)) * 255), 0, 255) / 255
    return units, space.to_values(units)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", ["fgsm", "pgd"])
@pytest.mark.parametrize("norm, eps", [("linf", 12), ("l2", 150), ("linf", 0.4), ("l2", 0)])
def test_no_further_than_eps(probe, way, method, norm, eps):
    space = Space.of(WAYS[way], probe.shape)
    units, x = pictures(space)
    made = attack(probe, space, x, how=Attack(method, norm, eps))
    off = (made.units - units) * 255
    assert made.original == pytest.approx(units, abs=1e-6)
    assert (np.abs(off).max() if norm == "linf" else np.linalg.norm(off.reshape(len(off), -1), axis=1).max()) <= eps + 1e-3
    assert made.units.min() >= 0 and made.units.max() <= 1
    assert made.units * 255 == pytest.approx(np.round(made.units * 255), abs=1e-9)
    assert made.moved == pytest.approx(np.abs(off).reshape(len(off), -1).max(axis=1), abs=1e-3)
    assert made.length == pytest.approx(np.linalg.norm(off.reshape(len(off), -1), axis=1), abs=1e-3)
    if eps > 1:
        assert np.abs(off).max() > 0


@pytest.mark.parametrize("method", ["fgsm", "pgd"])
@pytest.mark.parametrize("norm, eps", [("linf", 12), ("l2", 150)])
def test_pixels_that_are_not_whole_stay_pixels(probe, method, norm, eps):
    space = Space.of(WAYS["mean"], probe.shape)
    units, x = pictures(space)
    made = attack(probe, space, x, how=Attack(method, norm, eps, whole=False))
    assert made.units.min() >= 0 and made.units.max() <= 1 and (made.units * 255 % 1).any()
    assert (made.moved if norm == "linf" else made.length).max() <= eps + 1e-6


def test_fgsm_by_hand(probe):
    space = Space.of(WAYS["mean"], probe.shape)
    units, x = pictures(space, 3)
    made = attack(probe, space, x, how=Attack("fgsm", "linf", 5))
    for k in range(3):
        label = int(probe.forward(x[k: k + 1])[0].argmax())
        p = probe.probabilities(probe.forward(x[k: k + 1]))
        p[0, label] -= 1  # the gradient of -log p
        slope = probe.backward(p)[0]
        assert (made.units[k] * 255) == pytest.approx(np.clip(units[k] * 255 + 5 * np.sign(slope), 0, 255), abs=1e-6)


def test_it_fools_and_pgd_more_than_fgsm(probe):
    space = Space.of(WAYS["scaled"], probe.shape)
    _, x = pictures(space, 40)
    rates = {m: attack(probe, space, x, how=Attack(m, "linf", 24)).rate for m in ("fgsm", "pgd")}
    weak = attack(probe, space, x, how=Attack("pgd", "linf", 1)).rate
    assert rates["pgd"] >= rates["fgsm"] > weak and rates["pgd"] > 0.5
    assert attack(probe, space, x, how=Attack(eps=0)).rate == 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method, norm", [("pgd", "l2"), ("fgsm", "linf")])
def test_the_loss_goes_up(probe, way, method, norm):
    """An inverting preprocessing turns the direction of pixels round, and a scale must not hide."""
    space = Space.of(WAYS[way], probe.shape)
    _, x = pictures(space, 20)
    made = attack(probe, space, x, how=Attack(method, norm, 100 if norm == "l2" else 6))
    index = np.arange(20), made.labels
    assert (made.after[index] < made.before[index]).all() and made.before.sum(axis=1) == pytest.approx(np.ones(20))


def test_a_target(probe):
    space = Space.of(WAYS["scaled"], probe.shape)
    _, x = pictures(space, 20)
    made = attack(probe, space, x, how=Attack("pgd", "linf", 60, target=1))
    assert (made.after[:, 1] >= made.before[:, 1] - 1e-6).all()
    assert (made.after.argmax(axis=1)[made.fooled] == 1).all() and made.fooled.any()
    assert not made.fooled[made.before.argmax(axis=1) == 1].any()


def test_what_the_net_did_not_know_counts_for_nothing(probe):
    space = Space.of(WAYS["scaled"], probe.shape)
    _, x = pictures(space, 10)
    said = probe.forward(x).argmax(axis=1)
    made = attack(probe, space, x, (said + 1) % 3, Attack(eps=60))
    assert not made.right.any() and not made.fooled.any() and made.rate == 0


def test_the_same_seed_gives_the_same(probe):
    space = Space.of(WAYS["scaled"], probe.shape)
    _, x = pictures(space, 4)
    a, b, c = (attack(probe, space, x, how=Attack(seed=s, eps=6, steps=3)).units for s in (1, 1, 2))
    assert (a == b).all() and (a != c).any()
    still = [attack(probe, space, x, how=Attack(seed=s, eps=6, steps=3, random=False)).units for s in (1, 2)]
    assert (still[0] == still[1]).all()


@pytest.mark.parametrize("way", WAYS)
def test_files_fool_too(probe, way, tmp_path):
    pytest.importorskip("PIL")
    space = Space.of(WAYS[way], probe.shape)
    made = attack(probe, space, pictures(space, 5)[1], how=Attack(eps=20))
    for k, units in enumerate(made.units):
        write_picture(tmp_path / "a.png", space.as_bytes(units))
        again = reread(tmp_path / "a.png", space)
        assert again == pytest.approx(units, abs=1e-12)
        assert probe.forward(space.to_values(again)[None]).argmax() == made.after[k].argmax()


@pytest.mark.parametrize("wrong, said", [({"method": "bim"}, "method: expected fgsm or pgd"), ({"norm": "l1"}, "norm: expected"),
                                         ({"eps": -1}, "eps from 0 up"), ({"steps": 0}, "steps"), ({"step": 0}, "step 0")])
def test_settings_that_cannot_work(wrong, said):
    with pytest.raises(NetdefError, match=said):
        Attack(**wrong)


def test_mistakes(probe, small):
    space = Space.of(WAYS["scaled"], probe.shape)
    _, x = pictures(space, 1)
    said = int(probe.forward(x).argmax())
    for call, text in ((lambda: attack(probe, space, x, how=Attack(target=3)), "no class 3: the net knows 3"),
                       (lambda: attack(probe, space, x, how=Attack(target=said)), f"of class {said} already"),
                       (lambda: attack(probe, space, x, [7]), "the label 7 is no class"),
                       (lambda: attack(Probe(*small, blob="conv1"), space, x), "expected one score a class")):
        with pytest.raises(NetdefError, match=text):
            call()
