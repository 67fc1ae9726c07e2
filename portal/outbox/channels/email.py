"""E-mail by Django's backend: SMTP, or whatever `EMAIL_URL` names."""

import hashlib
import smtplib

from django.conf import settings
from django.core.mail import EmailMessage

from .base import DeliveryError, Message


def send(message: Message) -> None:
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")
    same_for_same_key = hashlib.sha256(message.key.encode()).hexdigest()[:32]
    mail = EmailMessage(
        subject=message.subject,
        body=message.text,
        to=[message.to],
        headers={
            "Message-ID": f"<{same_for_same_key}@{domain}>",
            "Content-Language": message.language,
            "Auto-Submitted": "auto-generated",
        },
    )
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = {code for code, _ in error.recipients.values()}
        raise DeliveryError(f"refused {codes}", permanent=all(c >= 500 for c in codes)) from error
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryError(f"{type(error).__name__}: {error}") from error
