"""How the parts of a pipeline are read: `yaml_file.Reader` with lists, shares and short texts."""

from collections.abc import Collection

from ruamel.yaml.nodes import Node, SequenceNode

from environments.yaml_file import Reader, is_null


class PipelineReader(Reader):
    """Takes `${…}` as it stands: an utterance may hold it, and no variable of this process is for a declaration."""

    def expand(self, text: str, key: str) -> str | None:
        return text

    def items(self, node: Node, key: str, maximum: int, cure: str) -> list[Node]:
        """The items of a list of 1 to `maximum`."""
        if not isinstance(node, SequenceNode):
            self.refuse(key, f"is not a list. {cure}")
            return []
        if not 1 <= len(node.value) <= maximum:
            self.refuse(key, f"has {len(node.value)} items. Write 1 to {maximum}, or leave it out.")
            return []
        found: list[Node] = node.value
        for place, item in enumerate(found):
            self.lines[f"{key}.{place}"] = item.start_mark.line + 1
        return found

    def members(self, node: Node, key: str, known: Collection[str], example: str) -> dict[str, Node]:
        """The entries of a mapping that are known and have a value."""
        entries = self.known(self.entries(node, key, example), key, known)
        return {name: value for name, value in entries.items() if not is_null(value)}

    def short(self, node: Node, key: str, longest: int) -> str | None:
        """Text that is not empty, on one line."""
        text = self.text(node, key)
        if text is None:
            return None
        if not text.strip() or len(text) > longest or not text.isprintable():
            self.refuse(key, f"is empty, too long or not on one line. Write up to {longest} characters.")
            return None
        return text

    def share(self, node: Node, key: str, *, zero: bool = True) -> float | None:
        """From 0 to 1, or more than 0."""
        cure = f"Write a number {'from' if zero else 'more than'} 0 {'to' if zero else 'and up to'} 1."
        text = self.scalar(node, key, ["int", "float"], cure)
        if text is None:
            return None
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not 0 <= number <= 1 or (number == 0 and not zero):
            self.refuse(key, f"is out of range. {cure}")
            return None
        return number

    def words(self, node: Node, key: str, maximum: int, longest: int) -> tuple[str, ...]:
        nodes = self.items(node, key, maximum, "Write a list of names, like [utter_greet].")
        read = [self.short(item, f"{key}.{place}", longest) for place, item in enumerate(nodes)]
        return tuple(word for word in read if word is not None)
