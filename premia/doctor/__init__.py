"""What `premia doctor` looks at: what is missing, and the fix."""
