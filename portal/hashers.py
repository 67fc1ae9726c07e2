"""Password hashing. Costs are measured in shared benchmarks: one lane keeps the second core free."""

from django.contrib.auth.hashers import Argon2PasswordHasher, PBKDF2PasswordHasher


class OneLaneArgon2(Argon2PasswordHasher):
    """Argon2id with t=2, 19 MiB, p=1 (OWASP's minimum, RFC 9106 section 4): some 22 ms of one core."""

    time_cost = 2
    memory_cost = 19_456  # KiB
    parallelism = 1


class Cheap(PBKDF2PasswordHasher):
    """For tests and benchmarks that measure everything but hashing. Refused in production mode."""

    algorithm = "pbkdf2_cheap"
    iterations = 1
