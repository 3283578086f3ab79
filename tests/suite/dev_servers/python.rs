//! Servers from `PyPI`.

use super::lab::{self, App};

#[test]
fn django_serves_two_worktrees() {
    let Some(bin) = lab::python("django-app") else { return };
    let app = App::new("django-app", &bin);
    app.serves("python manage.py runserver", "hello from django-app");
    app.keeps_to_its_port("python manage.py runserver", true);
}

#[test]
fn flask_serves_two_worktrees() {
    let Some(bin) = lab::python("flask-app") else { return };
    let app = App::new("flask-app", &bin);
    app.serves("flask run", "hello from flask-app");
    app.serves("python -m flask run --debug", "hello from flask-app");
    app.keeps_to_its_port("flask run", true);
}

#[test]
fn uvicorn_serves_two_worktrees() {
    let Some(bin) = lab::python("uvicorn-app") else { return };
    let app = App::new("uvicorn-app", &bin);
    app.serves("uvicorn main:app", "from uvicorn-app");
    app.serves("uvicorn main:app --reload", "from uvicorn-app");
    app.keeps_to_its_port("uvicorn main:app", true);
}
