"""A job that is done, with everything around it that has an id: what OpenAPI's parameters can name."""

from tests.services.http_services import WebApi, photo


async def finished_job(api: WebApi, profile: str = "our shop") -> dict[str, str]:
    """The ids, by the parameters that take them; ``profile`` is the brand profile's name.

    The job's event stream ends and its pictures are there.
    """
    hook = await api.client.post("/v1/webhooks", json={"url": "http://127.0.0.1:1/hook"})
    assert hook.status_code == 201, hook.text
    webhook_id = hook.json()["id"]
    place = {"kind": "folder", "folder": "shop"}
    target = await api.client.post("/v1/delivery-targets", json={"destination": place})
    assert target.status_code == 201, target.text
    job = await api.job()
    await api.upload(job, photo())
    item_id = job["items"][0]["id"]
    await api.finish(item_id, {"square-1x1": photo()})
    backdrop_id = await api.backdrop()
    # Needed by a job that is not finished, so that it stays whatever is asked.
    await api.job(scene={"kind": "backdrop", "picture": backdrop_id})
    kept = await api.client.post("/v1/brand-profiles", json={"name": profile})
    assert kept.status_code == 201, kept.text
    told = (await api.client.get(f"/v1/webhooks/{webhook_id}/deliveries")).json()["deliveries"]
    return {
        "job_id": job["id"],
        "item_id": item_id,
        "backdrop_id": backdrop_id,
        "webhook_id": webhook_id,
        "delivery_id": told[0]["id"],
        "target_id": target.json()["id"],
        "profile_id": kept.json()["id"],
    }
