"""The cheap hasher of the product (portal.hashers.Cheap), which a peer's environment cannot import."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class Cheap(PBKDF2PasswordHasher):
    algorithm = "pbkdf2_cheap"
    iterations = 1
