"""From records to the analysis, the value that every report is made of."""
