"""What specs are by their claims, and what that changes in builds."""
