"""A stage in turns: its nets made, tied together, trained round by round, saved together and gone on with.

A snapshot is a folder ``at_N``, N being the iterations of all nets together: weights and state of each net that learns,
and ``turns.json``, written last, which says whose turn it is and what the lent nets' data positions are. A folder without
it is none.
"""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netdef.errors import NetdefError, SolverError, warn
from netdef.runtime.net import Net
from netdef.solvers import state
from netdef.solvers.metrics import Metrics
from netdef.solvers.recipes import sharing
from netdef.solvers.recipes.model import Stage
from netdef.solvers.recipes.player import Linked, Player
from netdef.solvers.signals import Signals
from netdef.weights import atomic_write

TURNS = "turns.json"


class Turns:
    """The nets of one stage. ``seeds`` has the seed of each; ``home`` is the stage's folder.

    ``round``, ``turn`` and ``done`` say where it is: so many rounds are over, whose turn it is, iterations done in it.
    """

    def __init__(self, stage: Stage, seeds: Mapping[str, int], home: Path) -> None:
        self.stage = stage
        self.home = home
        self.round = self.turn = self.done = 0
        self.players: dict[str, Player] = {}
        self.linked: dict[str, Linked] = {}
        for member in stage.members:
            if member.lent:
                self.linked[member.name] = Linked(member, Net(member.plan, seed=seeds[member.name]))
            else:
                player = self.players[member.name] = Player(member, seeds[member.name], home / member.name)
                self.linked[member.name] = player.linked
        for linked in self.linked.values():
            linked.others = self.linked
        sharing.share({name: linked.net for name, linked in self.linked.items()}, {m.name: m.shared for m in stage.members})
        self._saved: int | None = None
        self._metrics: list[Metrics] = []

    @property
    def total(self) -> int:
        """Iterations of all nets together."""
        return sum(player.iter for player in self.players.values())

    def record(self) -> None:
        """Write the metrics of each net that learns into a folder of its own; to be called when all is restored."""
        for name, player in self.players.items():
            folder = self.home / name
            folder.mkdir(parents=True, exist_ok=True)
            self._metrics.append(Metrics(player, folder))
            player.listen(self._metrics[-1])

    def run(self, signals: Signals) -> bool:
        """Go on to the end, or until a signal stops it, and save; whether the end was reached."""
        for player in self.players.values():
            player.signals = signals
            player.begin()
        over = False
        with signals.handled():
            while not over and self._play():
                over = self.round == self.stage.rounds
            self.save()
        for player in self.players.values():
            player.finish(not over)
        return over

    def _play(self) -> bool:
        """The iterations of one turn, or what is left of it; False where the user asked to stop."""
        member = self.stage.members[self.turn]
        player = self.players.get(member.name)
        if player is not None:
            self.done += player.play(member.per_turn - self.done)
        due = False
        if self.done == member.per_turn:
            self.turn, self.done = self.turn + 1, 0
            if self.turn == len(self.stage.members):
                self.turn, self.round = 0, self.round + 1
                every = self.stage.located.message.snapshot
                due = bool(every and self.round % every == 0)
        if player is not None and player.stopped:
            return False
        if due or (player is not None and player.wants_save):
            self._attempt()
        return True

    def _attempt(self) -> None:
        """A snapshot amid training: if it cannot be written, training goes on."""
        try:
            self.save()
        except (OSError, NetdefError) as error:
            warn(f"no snapshot after round {self.round}, training goes on: {error}")
        for player in self.players.values():
            player.wants_save = False

    # snapshots ------------------------------------------------------------------------------------------------

    def save(self) -> Path:
        """Save all nets as they are now; the folder."""
        moment = self.home / f"at_{self.total}"
        if self._saved != self.total:
            moment.mkdir(parents=True, exist_ok=True)
            (moment / TURNS).unlink(missing_ok=True)
            states = {name: player.save_in(moment)[1].name for name, player in self.players.items()}
            lent = {name: {"seed": linked.net.seed, "state": linked.net.state()} for name, linked in self.linked.items()
                    if name not in self.players}
            told = {"round": self.round, "turn": self.turn, "done": self.done, "states": states, "lent": lent}
            with atomic_write(moment / TURNS, "w") as file:
                file.write(state.encode_plain(told) + "\n")
            self._saved = self.total
        return moment

    def restore(self, moment: Path) -> None:
        """Go back to a snapshot, bit for bit. Raises SolverError where it does not fit this stage."""
        try:
            told: dict[str, Any] = state.decode_plain((moment / TURNS).read_text(encoding="utf-8"))
            states, lent = told["states"], told["lent"]
            if set(states) != set(self.players) or set(lent) != set(self.linked) - set(self.players):
                raise SolverError("the nets of this snapshot are not those of the stage", where=str(moment / TURNS),
                                  hint=f"it has {', '.join([*states, *lent])}")
            self.round, self.turn, self.done = int(told["round"]), int(told["turn"]), int(told["done"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SolverError(f"cannot be read: {error}", where=str(moment / TURNS)) from error
        for name, player in self.players.items():
            player.restore(moment / states[name])
            player.saved_in(moment)
        for name, entry in lent.items():
            net = self.linked[name].net
            state.reseed([net], entry["seed"])
            net.set_state(entry["state"])
        self._saved = self.total

    def files(self) -> dict[str, tuple[Path, Path]]:
        """Weights and state of each net in the snapshot of now."""
        return {name: player.snapshots.paths(player.iter) for name, player in self.players.items()}

    def close(self) -> None:
        """Release data sources and files."""
        for metrics in self._metrics:
            metrics.close()
        for linked in self.linked.values():
            linked.net.close()
        for player in self.players.values():
            player.close()


def newest(home: Path) -> Path | None:
    """The last whole snapshot of a stage in turns."""
    found = {int(p.name[3:]): p for p in home.glob("at_*") if p.name[3:].isdecimal() and (p / TURNS).is_file()}
    return found[max(found)] if found else None

