"""
E-mail by Django's backend: SMTP, or whatever `EMAIL_URL` or `EMAIL_BACKEND` names. Text, and the same words
as plain HTML: nothing is loaded from anywhere, and only addresses of ours become links.
"""

import hashlib
import re
import smtplib

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.template.loader import render_to_string
from django.utils import translation

from .base import DeliveryError, Message

ADDRESS = re.compile(r"https?://\S+")


def send(message: Message) -> None:
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")
    same_for_same_key = hashlib.sha256(message.key.encode()).hexdigest()[:32]
    mail = EmailMultiAlternatives(
        subject=message.subject,
        body=message.text,
        to=[message.to],
        headers={
            "Message-ID": f"<{same_for_same_key}@{domain}>",
            "Content-Language": message.language,
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.attach_alternative(as_html(message), "text/html")
    mail.connection = get_connection()
    try:
        opened = mail.connection.open()
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryError(f"{type(error).__name__}: {error}") from error
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = {code for code, _ in error.recipients.values()}
        raise DeliveryError(f"refused {codes}", permanent=all(c >= 500 for c in codes)) from error
    except smtplib.SMTPResponseException as error:
        # Its words may hold the address; its number does not.
        raise DeliveryError(f"{type(error).__name__}: {error.smtp_code}") from error
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryError(type(error).__name__, unsure=True) from error
    finally:
        if opened:
            mail.connection.close()


def as_html(message: Message) -> str:
    """The message's text in the one HTML frame."""
    paragraphs = [
        [line for line in part.split("\n") if line.strip()]
        for part in re.split(r"\n\s*\n", message.text)
    ]
    context = {
        "subject": message.subject,
        "language": message.language,
        "brand": settings.BRAND,
        "paragraphs": [[_spans(line) for line in lines] for lines in paragraphs if lines],
    }
    with translation.override(message.language):
        return render_to_string("messages/letter.html", context)


def _spans(line: str) -> list[tuple[str, bool]]:
    """The parts of a line, and whether each is an address of ours."""
    spans, end = [], 0
    for found in ADDRESS.finditer(line):
        is_ours = found[0].startswith(f"{settings.BASE_URL}/")
        spans += [(line[end : found.start()], False), (found[0], is_ours)]
        end = found.end()
    spans.append((line[end:], False))
    return [span for span in spans if span[0]]
