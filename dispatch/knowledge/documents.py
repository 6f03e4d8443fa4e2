"""Documents: taken in, shown on their way, deleted. The loop `ingestion` works on them."""

import asyncio
import hashlib
import logging
import unicodedata
import uuid
from collections.abc import Iterator
from typing import BinaryIO, Final

from dispatch.access.audit import record_change
from dispatch.accounts import Actor
from dispatch.billing.plans import Resource
from dispatch.errors import Conflict, DocumentTooLarge, InvalidField, NotFound, StoreUnavailable
from dispatch.knowledge.bases import get_knowledge_base
from dispatch.knowledge_base import (
    MAX_DOCUMENT_BYTES,
    Document,
    DocumentFormat,
    DocumentStatus,
)
from dispatch.paging import Page, PageRequest
from dispatch.store.engine import Database, WriteSession
from dispatch.store.loop_signals import LoopSignals
from dispatch.store.repositories import knowledge_documents
from dispatch.store.repositories.quotas import require_room_for

logger = logging.getLogger(__name__)

INGESTION_LOOP: Final = "knowledge"
"""The dispatch loop that reads what is uploaded."""

_PART_BYTES: Final = 1024 * 1024
_LONGEST_NAME: Final = 255

_FORMATS: Final = {
    ".pdf": DocumentFormat.PDF,
    ".docx": DocumentFormat.DOCX,
    ".md": DocumentFormat.MARKDOWN,
    ".markdown": DocumentFormat.MARKDOWN,
    ".txt": DocumentFormat.TEXT,
    ".text": DocumentFormat.TEXT,
    ".csv": DocumentFormat.CSV,
    ".tsv": DocumentFormat.CSV,
    ".htm": DocumentFormat.HTML,
    ".html": DocumentFormat.HTML,
}


class Documents:
    """Documents of knowledge bases."""

    def __init__(self, database: Database, signals: LoopSignals) -> None:
        self._database = database
        self._signals = signals

    async def upload(
        self,
        actor: Actor,
        project_id: uuid.UUID,
        knowledge_base_id: uuid.UUID,
        *,
        name: str,
        file: BinaryIO,
        new_id: uuid.UUID,
    ) -> Document:
        """Keep a file; it is read in the background.

        The same bytes are kept once: what is there already is returned as it is, and begun again
        with if it had been given up.

        Args:
            actor: Who uploads.
            project_id: On whose behalf.
            knowledge_base_id: Where to.
            name: The file's name, whose ending tells its format.
            file: Its bytes, seekable, at most `MAX_DOCUMENT_BYTES`; never all in memory here.
            new_id: The document's id.

        Raises:
            NotFound: The project has no such knowledge base.
            InvalidField: The format is not one we read, or the file is empty.
            DocumentTooLarge: The file is longer than 50 MB.
        """
        name = _checked_name(name)
        kind = format_of(name)
        size_bytes, sha256 = await asyncio.to_thread(_measured, file)
        async with self._database.transaction() as db:
            base = await get_knowledge_base(db, project_id, knowledge_base_id, for_share=True)
            new = knowledge_documents.NewDocument(
                id=new_id,
                knowledge_base_id=base.id,
                name=name,
                format=kind,
                size_bytes=size_bytes,
                sha256=sha256,
            )
            document = await knowledge_documents.insert_document(db, new)
            if document is None:
                document = await _same_bytes(db, new)
                if document.status is not DocumentStatus.FAILED:
                    return document
                document = await knowledge_documents.restart_document(db, document.id, new)
            await require_room_for(db, base.organization_id, Resource.KNOWLEDGE_BYTES)
            for position, part in enumerate(_parts(file)):
                await knowledge_documents.insert_file_part(db, document.id, position, part)
            await record_change(
                db,
                actor,
                "document.uploaded",
                target_type="document",
                target_id=document.id,
                organization_id=base.organization_id,
                project_id=project_id,
                after={"knowledge_base_id": base.id, "sha256": sha256, "format": kind},
            )
        await self._wake()
        return document

    async def get(
        self, project_id: uuid.UUID, knowledge_base_id: uuid.UUID, document_id: uuid.UUID
    ) -> Document:
        """Return a document as it is now.

        Raises:
            NotFound: The project has no such knowledge base, or that has no such document.
        """
        async with self._database.reading() as db:
            await get_knowledge_base(db, project_id, knowledge_base_id)
            found = await knowledge_documents.find_document(db, knowledge_base_id, document_id)
        if found is None:
            raise NotFound("document", document_id)
        return found

    async def list(
        self, project_id: uuid.UUID, knowledge_base_id: uuid.UUID, page: PageRequest
    ) -> Page[Document]:
        """Return a page of a knowledge base's documents, newest first.

        Raises:
            NotFound: The project has no such knowledge base.
        """
        async with self._database.reading() as db:
            await get_knowledge_base(db, project_id, knowledge_base_id)
            return await knowledge_documents.list_documents(db, knowledge_base_id, page)

    async def delete(
        self,
        actor: Actor,
        project_id: uuid.UUID,
        knowledge_base_id: uuid.UUID,
        document_id: uuid.UUID,
    ) -> None:
        """Delete a document: from now on nothing of it is found.

        Raises:
            NotFound: The project has no such knowledge base, or that has no such document.
        """
        async with self._database.transaction() as db:
            base = await get_knowledge_base(db, project_id, knowledge_base_id)
            found = await knowledge_documents.find_document(db, knowledge_base_id, document_id)
            if found is None:
                raise NotFound("document", document_id)
            await knowledge_documents.delete_document(db, document_id)
            await record_change(
                db,
                actor,
                "document.deleted",
                target_type="document",
                target_id=document_id,
                organization_id=base.organization_id,
                project_id=project_id,
                before={"knowledge_base_id": base.id, "sha256": found.sha256},
            )
        await self._wake()

    async def _wake(self) -> None:
        try:
            await self._signals.wake(INGESTION_LOOP)
        except StoreUnavailable:
            # The loop looks by itself; it only takes a little longer.
            logger.info("ingestion not woken")


async def _same_bytes(db: WriteSession, new: knowledge_documents.NewDocument) -> Document:
    found = await knowledge_documents.find_document_by_sha256(db, new.knowledge_base_id, new.sha256)
    if found is None:
        # Only an id that is taken elsewhere gets here.
        raise Conflict("This document was uploaded before and has been deleted since.")
    return found


def format_of(name: str) -> DocumentFormat:
    """Return what kind of file a name promises.

    Raises:
        InvalidField: None that we read.
    """
    ending = name[name.rfind(".") :].lower() if "." in name else ""
    kind = _FORMATS.get(ending)
    if kind is None:
        raise InvalidField(
            "file", "PDF, DOCX, Markdown, TXT, CSV and HTML are read; the name must end in one."
        )
    return kind


def _checked_name(name: str) -> str:
    """Return a file's name without the path that some browsers send, fit to be shown."""
    name = name.replace("\\", "/").rpartition("/")[2]
    name = "".join(each for each in name if unicodedata.category(each)[0] != "C").strip()
    return name[-_LONGEST_NAME:]


def _measured(file: BinaryIO) -> tuple[int, str]:
    digest = hashlib.sha256()
    size_bytes = 0
    for part in _parts(file):
        size_bytes += len(part)
        digest.update(part)
        if size_bytes > MAX_DOCUMENT_BYTES:
            raise DocumentTooLarge(
                f"A document has at most {MAX_DOCUMENT_BYTES // 2**20} MB; upload it in parts."
            )
    if not size_bytes:
        raise InvalidField("file", "The file is empty.")
    return size_bytes, digest.hexdigest()


def _parts(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while part := file.read(_PART_BYTES):
        yield part
