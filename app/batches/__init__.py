"""Many documents submitted as one."""
