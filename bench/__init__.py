"""Side-by-side measurements: what Nusabus costs against what one would do without it."""
