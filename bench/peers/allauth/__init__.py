"""django-allauth with its own second factor (allauth.mfa), as its quickstart and its MFA chapter set it up."""
