"""YAML as everything here reads it: PyYAML's safe loader, over libyaml's parser where PyYAML was built with it.

Ten times as fast as yaml.SafeLoader, and nesting too deep raises RecursionError as there: libyaml's own composer, which
yaml.CSafeLoader uses, would end the process then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.reader import ReaderError
from yaml.resolver import Resolver

if TYPE_CHECKING or not yaml.__with_libyaml__:
    SafeLoader = yaml.SafeLoader
else:
    from yaml.cyaml import CParser

    class SafeLoader(Composer, CParser, SafeConstructor, Resolver):
        def __init__(self, stream: str) -> None:
            try:
                CParser.__init__(self, stream)
            except UnicodeEncodeError as error:  # half of a surrogate pair
                at, problem = error.start, "special characters are not allowed"
                raise ReaderError("text", at, ord(stream[at]), "unicode", problem) from error
            Composer.__init__(self)
            SafeConstructor.__init__(self)
            Resolver.__init__(self)
