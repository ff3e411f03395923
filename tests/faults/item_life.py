"""Items through everything that can befall them, in any order, as a state machine for Hypothesis.

After every step the invariants hold and every item's story is one of legal moves; at the end of every life,
workers that do their work bring every uploaded photo to its end. The steps are in ``item_steps.py``.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.faults.item_steps import PHOTOS, Ground, Life

from opal.database.engine import utc_now
from opal.errors import LeaseLost
from opal.items.item import Item
from opal.items.states import ItemState

T = TypeVar("T")

_ANY = st.integers(min_value=0, max_value=11)
"""Which of those that there are; taken modulo their number."""
_SELDOM = st.integers(min_value=0, max_value=7).map(lambda drawn: drawn == 7)
"""For what ends lives: most should be long."""


class ItemLife(RuleBasedStateMachine):
    """One job's life; a subclass gives the ground."""

    ground: Ground

    def __init__(self) -> None:
        super().__init__()
        self.life = Life(self.ground)

    def play(self, step: Awaitable[T]) -> T:
        """Run a step on the ground's loop."""

        async def stepping() -> T:
            return await step

        return self.ground.runner.run(stepping())

    @initialize(ways=st.tuples(*[st.integers(min_value=0, max_value=5)] * PHOTOS))
    def begin(self, ways: tuple[int, ...]) -> None:
        """An empty database, and a job of photos that have come some steps of their ``ways``."""
        self.play(self.life.begin(ways))

    # What the client does.

    @rule(which=_ANY)
    def upload(self, which: int) -> None:
        """A photo comes; of one that is there already nothing comes of it."""
        self.play(self.life.upload(which))

    @rule(mood=_SELDOM)
    def cancel(self, mood: bool) -> None:
        """The client cancels, perhaps again."""
        if mood:
            self.play(self.life.cancel())

    @rule(which=_ANY, engine=st.sampled_from([None, "isnet-small"]))
    def revise(self, which: int, engine: str | None) -> None:
        """The client asks for other pictures, if there are any."""
        self.play(self.life.revise(which, engine))

    @rule(which=_ANY, new_photo=st.booleans())
    def send_again(self, which: int, new_photo: bool) -> None:
        """The client sends a photo again, if it failed."""
        self.play(self.life.send_again(which, new_photo=new_photo))

    # What the queue does.

    @rule()
    def publish(self) -> None:
        """The relay has its turn."""
        self.play(self.life.relay.publish_pending())

    @precondition(lambda self: self.life.messages)
    @rule(which=_ANY)
    def deliver(self, which: int) -> None:
        """A message comes to a worker. It is not settled yet, and so may come to another."""
        self.play(self.life.deliver(*self.life.messages[which % len(self.life.messages)]))

    @precondition(lambda self: self.life.messages)
    @rule(which=_ANY)
    def lose_message(self, which: int) -> None:
        """A message is gone: settled, expired, or lost with its queue."""
        queue, place = self.life.messages[which % len(self.life.messages)]
        self.life.queues.waiting[queue].pop(place)

    @precondition(lambda self: self.life.messages)
    @rule(which=_ANY, mood=_SELDOM)
    def give_up_message(self, which: int, mood: bool) -> None:
        """A message becomes a dead letter."""
        if mood:
            queue, place = self.life.messages[which % len(self.life.messages)]
            self.life.queues.dead[queue].append(self.life.queues.waiting[queue].pop(place))

    # What workers do with what they have in hand, whether it is theirs still or not.

    @precondition(lambda self: self.life.in_hand)
    @rule(which=_ANY)
    def finish(self, which: int) -> None:
        """The work is done and recorded."""
        self._end(which, self.life.finish)

    @precondition(lambda self: self.life.in_hand)
    @rule(which=_ANY)
    def fail(self, which: int) -> None:
        """A failure that may pass."""
        self._end(which, self.life.fail)

    @precondition(lambda self: self.life.in_hand)
    @rule(which=_ANY, mood=_SELDOM)
    def fail_for_good(self, which: int, mood: bool) -> None:
        """A photo that cannot be used."""
        if mood:
            self._end(which, self.life.fail_for_good)

    @precondition(lambda self: self.life.in_hand)
    @rule(which=_ANY)
    def give_back(self, which: int) -> None:
        """The worker is asked to stop."""
        self._end(which, self.life.give_back)

    @precondition(lambda self: self.life.in_hand)
    @rule(which=_ANY)
    def renew(self, which: int) -> None:
        """The lease is kept; it is if and only if the item is the worker's."""
        item = self.life.in_hand[which % len(self.life.in_hand)]
        assert self.play(self.life.renew(item)) == self.play(self.life.owns(item))

    @precondition(lambda self: self.life.in_hand)
    @rule(which=_ANY)
    def die(self, which: int) -> None:
        """A worker is gone with what it had in hand."""
        self.life.in_hand.pop(which % len(self.life.in_hand))

    def _end(self, which: int, how: Callable[[Item], Awaitable[None]]) -> None:
        """End one piece of work: LeaseLost if and only if it was another's by then."""
        item = self.life.in_hand.pop(which % len(self.life.in_hand))
        owned = self.play(self.life.owns(item))
        try:
            self.play(how(item))
        except LeaseLost:
            assert not owned
        else:
            assert owned, "a worker that had lost its lease was believed"

    # What time does, and what heals.

    @rule()
    def leases_end(self) -> None:
        """Nobody has renewed."""
        self.play(self.life.end_leases())

    @rule()
    def time_passes(self) -> None:
        """Longer than the sweeper waits before it looks for a message."""
        stale = timedelta(seconds=2 * self.life.settings.sweeper.stale_s)
        self.play(self.life.set(updated_at=utc_now() - stale))

    @rule()
    def sweep(self) -> None:
        """The sweeper has its turn."""
        self.play(self.life.sweeper.sweep())

    # What must not be possible.

    @rule(which=_ANY, wanted=st.sampled_from(ItemState))
    def try_the_impossible(self, which: int, wanted: ItemState) -> None:
        """A move that the table does not have; a second charge, release or refund: nothing comes of them."""
        self.play(self.life.move_illegally(which, wanted))
        self.play(self.life.settle_again(which))

    # What holds after each step.

    @invariant()
    def everything_holds(self) -> None:
        """The product's own invariants, legal stories, numbers that only grow, ends that are final."""
        if self.life.job is not None:
            self.play(self.life.look())

    def teardown(self) -> None:
        """From wherever the life has come to, it is brought to its end."""
        if self.life.job is not None:
            self.play(self.life.bring_to_an_end())
