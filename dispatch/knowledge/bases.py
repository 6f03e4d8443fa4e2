"""A project's knowledge bases."""

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from dispatch.access.audit import record_change
from dispatch.accounts import EVERY_SCOPE, Actor, Scope
from dispatch.billing.plans import Resource
from dispatch.errors import InvalidField, NotAllowed, NotFound
from dispatch.knowledge_base import LANGUAGES, EmbeddingModel, KnowledgeBase
from dispatch.paging import Page, PageRequest
from dispatch.secrets.values import checked_provider
from dispatch.store.engine import Database, ReadSession, WriteSession
from dispatch.store.repositories import accounts, knowledge_bases
from dispatch.store.repositories.quotas import require_room_for

_LONGEST_NAME: Final = 100
_LONGEST_DESCRIPTION: Final = 2_000
_LONGEST_MODEL: Final = 100
_CHANGEABLE: Final = frozenset({"name", "description", "embedding"})


class KnowledgeBases:
    """Makes, shows, changes and deletes knowledge bases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        actor: Actor,
        project_id: uuid.UUID,
        *,
        name: str,
        description: str = "",
        language: str = "english",
        embedding: EmbeddingModel | None = None,
        new_id: uuid.UUID,
        scopes: frozenset[Scope] = EVERY_SCOPE,
    ) -> KnowledgeBase:
        """Create a knowledge base; asked again with the same `new_id`, return the one there is.

        Args:
            actor: Who does.
            project_id: Whose it will be.
            name: For people; 1 to 100 characters.
            description: What is in it; agents are told.
            language: A text search configuration, one of `LANGUAGES`; it never changes.
            embedding: The model that finds by meaning; None finds by words only.
            new_id: Its id.
            scopes: What the actor may do; a model at a base URL needs `secrets:write`, for the
                project's key is sent there.

        Raises:
            InvalidField: A value is wrong.
            NotAllowed: The actor may not say where the key is sent.
            NotFound: There is no such project.
        """
        _check_address(embedding, None, scopes)
        if language not in LANGUAGES:
            raise InvalidField("language", f"language must be one of {', '.join(LANGUAGES)}.")
        async with self._database.transaction() as db:
            project = await accounts.get_project(db, project_id)
            created = await knowledge_bases.insert_knowledge_base(
                db,
                knowledge_bases.NewKnowledgeBase(
                    id=new_id,
                    organization_id=project.organization_id,
                    project_id=project_id,
                    name=_checked_name(name),
                    description=_checked_description(description),
                    language=language,
                    embedding=_checked_embedding(embedding),
                ),
            )
            if created is None:
                return await get_knowledge_base(db, project_id, new_id)
            await require_room_for(db, project.organization_id, Resource.KNOWLEDGE_BASES)
            await _record(db, actor, "knowledge_base.created", None, created)
        return created

    async def get(self, project_id: uuid.UUID, knowledge_base_id: uuid.UUID | int) -> KnowledgeBase:
        """Return a knowledge base, by its id or its number.

        Raises:
            NotFound: The project has no such knowledge base.
        """
        async with self._database.reading() as db:
            return await get_knowledge_base(db, project_id, knowledge_base_id)

    async def list(self, project_id: uuid.UUID, page: PageRequest) -> Page[KnowledgeBase]:
        """Return a page of the project's knowledge bases, newest first.

        Raises:
            NotFound: There is no such project.
        """
        async with self._database.reading() as db:
            await accounts.get_project(db, project_id)
            return await knowledge_bases.list_knowledge_bases(db, project_id, page)

    async def patch(
        self,
        actor: Actor,
        project_id: uuid.UUID,
        knowledge_base_id: uuid.UUID,
        changes: Mapping[str, Any],
        scopes: frozenset[Scope] = EVERY_SCOPE,
    ) -> KnowledgeBase:
        """Change some of `name`, `description` and `embedding`.

        With another embedding model all vectors are thrown away and made anew in the background;
        until a document has its own again, it is found by its words.

        Raises:
            NotFound: The project has no such knowledge base.
            InvalidField: A value is wrong; nothing was changed.
            NotAllowed: As for `create`.
        """
        for field in changes:
            if field not in _CHANGEABLE:
                raise InvalidField(field, f"{field} cannot be changed.")
        columns: dict[str, Any] = {}
        if "name" in changes:
            columns["name"] = _checked_name(changes["name"])
        if "description" in changes:
            columns["description"] = _checked_description(changes["description"])
        async with self._database.transaction() as db:
            before = await get_knowledge_base(db, project_id, knowledge_base_id, for_update=True)
            embedding = _checked_embedding(changes.get("embedding", before.embedding))
            _check_address(embedding, before.embedding, scopes)
            if embedding != before.embedding:
                columns |= knowledge_bases.embedding_columns(embedding)
                await knowledge_bases.forget_vectors(
                    db, knowledge_base_id, again=embedding is not None
                )
            after = await knowledge_bases.update_knowledge_base(db, knowledge_base_id, columns)
            await _record(db, actor, "knowledge_base.updated", before, after)
        return after

    async def delete(
        self, actor: Actor, project_id: uuid.UUID, knowledge_base_id: uuid.UUID
    ) -> None:
        """Delete a knowledge base with its documents; agents that have it find nothing in it.

        Raises:
            NotFound: The project has no such knowledge base.
        """
        async with self._database.transaction() as db:
            before = await get_knowledge_base(db, project_id, knowledge_base_id, for_update=True)
            await knowledge_bases.delete_knowledge_base(db, knowledge_base_id)
            await _record(db, actor, "knowledge_base.deleted", before, None)


async def get_knowledge_base(
    db: ReadSession,
    project_id: uuid.UUID,
    knowledge_base_id: uuid.UUID | int,
    *,
    for_update: bool = False,
    for_share: bool = False,
) -> KnowledgeBase:
    """Return a knowledge base in an open transaction.

    Raises:
        NotFound: The project has no such knowledge base.
    """
    found = await knowledge_bases.find_knowledge_base(
        db, project_id, knowledge_base_id, for_update=for_update, for_share=for_share
    )
    if found is None:
        raise NotFound("knowledge base", knowledge_base_id)
    return found


def _check_address(
    wanted: EmbeddingModel | None, known: EmbeddingModel | None, scopes: frozenset[Scope]
) -> None:
    if wanted is None or wanted.base_url is None or Scope.SECRETS_WRITE in scopes:
        return
    if known is None or (known.provider, known.base_url) != (wanted.provider, wanted.base_url):
        raise NotAllowed(
            "A model at a base URL is sent the project's key, so it needs the scope secrets:write."
        )


async def _record(
    db: WriteSession,
    actor: Actor,
    action: str,
    before: KnowledgeBase | None,
    after: KnowledgeBase | None,
) -> None:
    base = after or before
    if base is None:
        return
    await record_change(
        db,
        actor,
        action,
        target_type="knowledge_base",
        target_id=base.id,
        organization_id=base.organization_id,
        project_id=base.project_id,
        before=None if before is None else _audited(before),
        after=None if after is None else _audited(after),
    )


def _audited(base: KnowledgeBase) -> dict[str, Any]:
    embedding = None if base.embedding is None else asdict(base.embedding)
    return {
        "name": base.name,
        "description": base.description,
        "language": base.language,
        "embedding": embedding,
    }


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= _LONGEST_NAME:
        raise InvalidField("name", f"name must have 1 to {_LONGEST_NAME} characters.")
    return name


def _checked_description(description: str) -> str:
    if len(description) > _LONGEST_DESCRIPTION:
        raise InvalidField(
            "description", f"description has at most {_LONGEST_DESCRIPTION} characters."
        )
    return description


def _checked_embedding(embedding: EmbeddingModel | None) -> EmbeddingModel | None:
    if embedding is None:
        return None
    checked_provider(embedding.provider)
    if not 1 <= len(embedding.model) <= _LONGEST_MODEL:
        raise InvalidField("embedding.model", f"1 to {_LONGEST_MODEL} characters.")
    return embedding
