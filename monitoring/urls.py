"""Paths of monitoring on one page. They stand at the root, outside the API."""

from django.urls import path

from monitoring.health.views import DetailedView, HealthView, LiveView, ReadyView
from monitoring.metrics.views import MetricsView

urlpatterns = [
    path("health", HealthView.as_view(), name="health"),
    path("health/live", LiveView.as_view(), name="health-live"),
    path("health/ready", ReadyView.as_view(), name="health-ready"),
    path("health/detailed", DetailedView.as_view(), name="health-detailed"),
    path("metrics", MetricsView.as_view(), name="metrics"),
]
