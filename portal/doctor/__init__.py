"""What is wrong with this deployment, why it matters, and what to do: `manage.py doctor`."""
