"""The witness: signs what a log shows it, as long as it never shows it two histories."""
