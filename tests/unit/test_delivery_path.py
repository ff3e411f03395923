"""Paths of delivered pictures: made of plain names whatever the template and the names hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opal.errors import InvalidDeliveryTarget
from opal.items.delivery_path import PictureName, check_template, render, report_path

NAME = PictureName(job="job_1", item="item_2", sku="MUG-01", photo="IMG_7", preset="amazon-main", ext="jpg")


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{job}/{name}.{ext}", "job_1/MUG-01-amazon-main.jpg"),
        ("{sku}/{preset}.{ext}", "MUG-01/amazon-main.jpg"),
        ("shop/pictures (new)/{item}_{preset}.{ext}", None),
        ("shop/pictures(new)/{item}_{preset}.{ext}", "shop/pictures(new)/item_2_amazon-main.jpg"),
        ("{photo}@{preset}.{ext}", "IMG_7@amazon-main.jpg"),
    ],
)
def test_a_template_becomes_a_path(template: str, path: str | None) -> None:
    if path is None:
        with pytest.raises(InvalidDeliveryTarget, match="ASCII"):
            check_template(template)
        return
    check_template(template)
    assert render(template, NAME) == path
    assert render(template, NAME, "-2") == path.replace(".jpg", "-2.jpg")
    assert report_path(path) == path.replace(".jpg", ".json")


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("", "1 to 200"),
        ("x" * 201, "1 to 200"),
        ("{tenant}/{name}.{ext}", "not {tenant}"),
        ("{name}.jpg", "must end with .{ext}"),
        ("{sku}.{ext}", "{preset} or {name}"),
        ("{job}/{preset}.{ext}", "for the product"),
        ("../{name}.{ext}", "plain name"),
        ("/{name}.{ext}", "plain name"),
        ("a//{name}.{ext}", "plain name"),
        (".hidden/{name}.{ext}", "plain name"),
        ("a\\{name}.{ext}", "ASCII"),
        ("{name}\n.{ext}", "ASCII"),
        ("{{name}}.{ext}", "ASCII"),
    ],
)
def test_what_could_lead_outside_or_collide_is_refused(template: str, why: str) -> None:
    with pytest.raises(InvalidDeliveryTarget) as refused:
        check_template(template)
    assert why in refused.value.message


@given(sku=st.text(max_size=300), photo=st.text(max_size=300))
def test_every_part_stays_one_plain_name(sku: str, photo: str) -> None:
    name = PictureName("job_1", "item_2", sku, photo, "amazon-main", "jpg")
    path = render("{sku}/{photo}/{name}.{ext}", name, "-2")
    segments = path.split("/")
    assert len(segments) == 3
    for segment in segments:
        assert segment not in {"", ".", ".."}
        assert len(segment.encode("utf-8", "surrogatepass")) <= 240
    assert path.endswith("-2.jpg")
