"""`spacy-bertcrf.chain_callbacks.v1`: several callbacks in the place of one."""

from collections.abc import Callable

from spacy.language import Language


def chain_callbacks(*callbacks: Callable[[Language], object]) -> Callable[[Language], None]:
    """Call one callback after the other with the pipeline, for `[initialize.before_init]` and
    `[initialize.after_init]`.

    callbacks: in a config, [initialize.after_init.*.a], [initialize.after_init.*.b] and so on, by
        names of your own.

    Raises ValueError if there are none.
    """
    if not callbacks:
        raise ValueError(
            "There are no callbacks to chain. Give each in a block of its own: "
            "[initialize.after_init.*.first]"
        )

    def call_all(nlp: Language) -> None:
        for callback in callbacks:
            callback(nlp)

    return call_all
