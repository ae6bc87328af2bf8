FROM python:3.13-slim AS build
WORKDIR /app
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir -r requirements.txt

FROM python:3.13-slim
RUN useradd --create-home laurel
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 DJANGO_SETTINGS_MODULE=config.settings STATIC_ROOT=/app/static
COPY --from=build /venv /venv
COPY . .
# Collecting static files needs no secret of its own: this one never leaves the build.
RUN DJANGO_SECRET_KEY=only-for-collecting-static-files-in-the-image-build-0123456789 \
    python manage.py collectstatic --noinput
# Uploads wait here for their jobs; a volume that web server and worker share.
RUN mkdir -p /app/var/uploads /app/var/import && chown laurel /app/var/uploads
USER laurel
EXPOSE 8000
HEALTHCHECK CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/live/')"
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--blocking-threads", "4", "--no-ws", "config.wsgi:application"]
