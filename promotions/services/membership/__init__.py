"""Enrolment, its welcome, merging and erasure: what moves points with a member."""
