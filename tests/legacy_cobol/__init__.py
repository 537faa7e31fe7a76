"""COBOL programs, compiled by GnuCOBOL, as the judge of what we work out."""
