"""The job of a CI system that a command runs in, from the variables that the system sets."""

import calendar
import time
from typing import Any, Dict, Mapping, Optional

# What `spack ci generate` writes where there is none.
_NO_STACK = "None"


def job_of(variables: Mapping[str, str]) -> Optional[Dict[str, Any]]:
    """The field `ci` of a report; None outside of GitLab CI and GitHub Actions."""
    job = _of_gitlab(variables) or _of_github(variables)
    if job is None:
        return None
    stack = variables.get("SPACK_CI_STACK_NAME")
    job["stack"] = None if stack == _NO_STACK else stack
    return {name: value for name, value in job.items() if value}


def is_part(variables: Mapping[str, str], moment: float) -> bool:
    """Whether what happened then was part of the job, which says when it began: GitLab's alone does."""
    try:
        began_at = time.strptime(variables.get("CI_JOB_STARTED_AT", "")[:19], "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return False
    return moment >= calendar.timegm(began_at)


def _of_gitlab(variables: Mapping[str, str]) -> Optional[Dict[str, Any]]:
    server, path = variables.get("CI_SERVER_URL"), variables.get("CI_PROJECT_PATH")
    project = variables.get("CI_PROJECT_URL") or (f"{server}/{path}" if server and path else path)
    if not project or not variables.get("CI_PIPELINE_ID"):
        return None
    return {
        "provider": "GITLAB",
        "project": project,
        "pipeline_id": variables["CI_PIPELINE_ID"],
        "pipeline_url": variables.get("CI_PIPELINE_URL"),
        "ref": variables.get("CI_COMMIT_REF_NAME"),
        "commit": variables.get("CI_COMMIT_SHA"),
        "job_id": variables.get("CI_JOB_ID"),
        "job_name": variables.get("CI_JOB_NAME"),
        "job_url": variables.get("CI_JOB_URL"),
    }


def _of_github(variables: Mapping[str, str]) -> Optional[Dict[str, Any]]:
    repository, run_id = variables.get("GITHUB_REPOSITORY"), variables.get("GITHUB_RUN_ID")
    if not repository or not run_id:
        return None
    project = variables.get("GITHUB_SERVER_URL", "https://github.com") + "/" + repository
    return {
        "provider": "GITHUB",
        "project": project,
        "pipeline_id": run_id,
        "pipeline_url": f"{project}/actions/runs/{run_id}",
        "ref": variables.get("GITHUB_REF_NAME"),
        "commit": variables.get("GITHUB_SHA"),
        # No variable has the number of a job, which its page's address is made of.
        "job_id": variables.get("GITHUB_JOB"),
        "job_name": variables.get("GITHUB_JOB"),
    }
