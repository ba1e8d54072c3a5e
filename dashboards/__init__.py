"""What people look at: dashboards as code, and the live page's files."""
