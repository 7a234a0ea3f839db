"""Lighthouse over the demo's pages."""
