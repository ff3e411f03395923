"""An error as RFC 9457 describes it. Made by ``problem.py``."""

from pydantic import BaseModel, ConfigDict, Field


class Fault(BaseModel):
    """One thing that is wrong with the request."""

    where: str = Field(examples=["body.items.0.filename"])
    message: str = Field(examples=["Field required"])


class Problem(BaseModel):
    """An error as RFC 9457 describes it; `code` is stable, the texts are for people."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(examples=["urn:opal:problem:not_found"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is nothing here under that id."])
    instance: str = Field(description="The path of the request.", examples=["/v1/jobs/job_0"])
    code: str = Field(examples=["not_found"])
    correlation_id: str = Field(examples=["0d9f6c0f2b6f4d6c8f7a"])
    errors: list[Fault] | None = None
