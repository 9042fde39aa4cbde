"""From the analysis to text and pictures."""
