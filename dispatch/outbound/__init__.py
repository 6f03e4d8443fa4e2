"""Calls that we place: asked for, queued, begun when there is room, dialled by a job."""
