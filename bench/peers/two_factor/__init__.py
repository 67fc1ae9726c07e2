"""django-two-factor-auth with an authenticator app (TOTP), as its installation chapter sets it up."""
