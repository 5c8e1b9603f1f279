"""The offer of users, projects and tokens to the rest of the house."""

from __future__ import annotations

from gateway.orchestration.access.projects import ProjectMemberService, ProjectService
from gateway.orchestration.access.tokens import TokenService
from gateway.orchestration.access.users import UserService
from gateway.orchestration.common.family import Family

FAMILY = Family(services=(UserService, ProjectService, ProjectMemberService, TokenService))
