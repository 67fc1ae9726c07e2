"""
Templates with their constant tags turned into text, once per language and process.

A page of ours holds a hundred tags whose output never changes in one language: words, addresses of
static files, addresses of pages without arguments. Rendering them took a quarter of a page's time; folded,
they are plain text. Whatever looks at the context stays a tag.
"""

import threading
from typing import Any, cast

from django.template import Context, Node, NodeList
from django.template.base import FilterExpression, TextNode, Token, TokenType, VariableNode
from django.template.defaulttags import CommentNode, IfNode, LoadNode, URLNode
from django.template.library import SimpleNode
from django.template.loaders import cached
from django.templatetags.i18n import BlockTranslateNode, LanguageNode, TranslateNode
from django.templatetags.static import StaticNode
from django.urls import NoReverseMatch
from django.utils.translation import get_language

_one_at_a_time = threading.RLock()


class Loader(cached.Loader):
    """Django's cached loader, with a folded template for each language."""

    def cache_key(self, template_name: str, skip: Any = None) -> str:
        return f"{get_language()}:{super().cache_key(template_name, skip)}"

    def get_template(self, template_name: str, skip: Any = None) -> Any:
        kept = self.get_template_cache.get(self.cache_key(template_name, skip))
        if getattr(kept, "is_folded", False):
            return kept
        with _one_at_a_time:  # nobody renders or folds a template that is being folded
            template: Any = super().get_template(template_name, skip)
            if not hasattr(template, "is_folded"):
                context = Context()
                context.template = template
                fold(template.nodelist, context)
                template.is_folded = True
            return template


def fold(nodes: NodeList, context: Context) -> None:
    """Replace the constant nodes of `nodes`, and of whatever is inside them, in place."""
    folded: list[Node] = []
    for node in nodes:
        if isinstance(node, (CommentNode, LoadNode)):
            continue
        if is_constant(node):
            node = _folded(node, context)
        else:
            for inner in _inside(node):
                fold(inner, context)
        before = folded[-1] if folded else None
        if isinstance(node, TextNode) and isinstance(before, TextNode):
            folded[-1] = _text(before, before.s + node.s)
        else:
            folded.append(node)
    nodes[:] = folded


def _folded(node: Node, context: Context) -> Node:
    """An address that does not exist in this mode stays a tag: it may stand where it is never reached."""
    try:
        return _text(node, node.render(context))
    except NoReverseMatch:
        return node


def _inside(node: Node) -> list[NodeList]:
    if isinstance(node, LanguageNode):  # its inside is in another language than the template
        return []
    if isinstance(node, IfNode):
        return [nodelist for _condition, nodelist in node.conditions_nodelists]
    names = getattr(node, "child_nodelists", ())
    return [found for name in names if isinstance(found := getattr(node, name, None), NodeList)]


def _text(like: Node, text: str) -> TextNode:
    node: Any = TextNode(str(text))
    node.token = getattr(like, "token", Token(TokenType.TEXT, ""))
    node.origin = getattr(like, "origin", None)
    return cast(TextNode, node)


def is_constant(node: Node) -> bool:
    """Does the node give the same text in every context?"""
    match node:
        case TranslateNode():
            plain = node.asvar is None and node.message_context is None
            return plain and _is_literal(node.filter_expression)
        case BlockTranslateNode():
            says = node.extra_context or node.plural or node.asvar or node.message_context
            return not says and all(t.token_type == TokenType.TEXT for t in node.singular)
        case StaticNode():
            return node.varname is None and _is_literal(node.path)
        case URLNode():
            values = [node.view_name, *node.args, *node.kwargs.values()]
            return node.asvar is None and all(map(_is_literal, values))
        case VariableNode():
            return _is_literal(node.filter_expression)
        case SimpleNode():
            return getattr(node.func, "is_constant", False) and node.target_var is None
    return False


def _is_literal(expression: FilterExpression) -> bool:
    if expression.filters:
        return False
    variable = expression.var
    return isinstance(variable, str) or getattr(variable, "literal", None) is not None
