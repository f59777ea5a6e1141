"""Readers of the chats that messengers export: `kakaotalk`, `whatsapp` and `slack`; `detection` tells them apart.

A chat becomes one row per message, with the columns of `messages`. `transcript` reads the forms of text files, which
`forms` describes.
"""

__all__ = ["detection", "kakaotalk", "messages", "slack", "whatsapp"]
