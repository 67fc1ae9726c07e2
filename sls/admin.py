"""What staff see of devices and shares."""
