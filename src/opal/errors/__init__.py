"""Every error that may cross a module border, drawn as one tree.

``code`` is stable and public (problem+json, item rows, reports); ``retryable`` tells a worker to try
again; ``expected`` errors happen in an ordinary day and are logged without a traceback.

The first line of an error's docstring is what the client reads; further lines say what to do about it and
appear in docs/errors.md. A class without such lines takes its parent's. Parts that meet errors of their own
(``http``, ``cli``, ``database``, ...) derive them from these.

OpalError
├── InvalidInput                      what the caller sent
│   ├── InvalidJson
│   ├── InvalidSettings
│   ├── UnknownScene
│   ├── InvalidScene
│   │   ├── BackdropUnusable
│   │   └── BackdropTooSmall
│   ├── InvalidPlacement
│   ├── MatteUnusable
│   ├── UnknownPreset
│   ├── InvalidPreset
│   ├── UnknownEngine
│   ├── InvalidMessage
│   ├── InvalidBlobPath
│   ├── AddressRefused
│   ├── InvalidDeliveryTarget
│   ├── IdempotencyKeyReused
│   └── InvalidPhoto                  what the photo is
│       ├── PhotoEmpty
│       ├── UnsupportedFormat
│       ├── PhotoTruncated
│       ├── PhotoCorrupt
│       ├── PhotoTooLarge
│       ├── TooManyPixels
│       ├── SideTooLong
│       ├── PhotoTooSmall
│       ├── PhotoAnimated
│       ├── InterlacedTooLarge
│       ├── PhotoChanged
│       ├── PhotoMetadataTooLarge
│       ├── PhotoUndecodable
│       ├── NoProductFound
│       ├── ProductTooSmall
│       └── PhotoRefused
├── Unauthorized
├── SignatureInvalid
├── InsufficientCredits
├── NotFound                          unknown and foreign ids alike
│   ├── BlobNotFound
│   ├── UnknownBackdrop
│   ├── UnknownWebhook
│   ├── UnknownDelivery
│   ├── UnknownDeliveryTarget
│   └── UnknownReceipt
├── PictureExpired
├── DataErased
├── Conflict                          what does not fit the present state
│   ├── ConfirmationNeeded
│   ├── BlobExists
│   ├── UploadMissing
│   ├── AlreadyUploaded
│   ├── BackdropNotReady
│   ├── BackdropInUse
│   ├── WebhookDisabled
│   ├── TooManyWebhooks
│   ├── DeliveryTargetDisabled
│   ├── TooManyDeliveryTargets
│   ├── ItemNotExported
│   ├── ItemNotFailed
│   ├── PhotoNeeded
│   ├── RevisionConflict
│   ├── TooManyRevisions
│   ├── SourcesExpired
│   ├── IllegalMove
│   ├── JobFinished
│   ├── PublicLinksOff
│   ├── JobNotReady
│   └── IdempotencyKeyInFlight
├── UploadExpired
├── Interrupted                       the work was stopped or taken over; it is done again (retryable)
│   ├── LeaseLost
│   └── LockLost
├── TooManyInterruptions
├── MessageTooLarge
├── DeadLettered
├── DependencyError                   a database, queue, blob store or endpoint failed (retryable)
│   ├── QueueUnavailable
│   ├── BlobStoreUnavailable
│   ├── StorageFull
│   ├── DecoderUnavailable
│   ├── DecoderInterrupted
│   ├── StoredPictureUnusable
│   ├── ScoringUnavailable
│   ├── ScoringBusy
│   ├── ScoringFailed
│   ├── OutgoingFailed
│   ├── DestinationFailed
│   ├── SigningFailed
│   └── SecretUnreadable
├── ModelMissing
└── ModelCorrupt
"""

from opal.errors.base import OpalError, walk
from opal.errors.dependencies import (
    BlobStoreUnavailable,
    DecoderInterrupted,
    DecoderUnavailable,
    DependencyError,
    DestinationFailed,
    ModelCorrupt,
    ModelMissing,
    OutgoingFailed,
    QueueUnavailable,
    ScoringBusy,
    ScoringFailed,
    ScoringUnavailable,
    SecretUnreadable,
    SigningFailed,
    StorageFull,
    StoredPictureUnusable,
)
from opal.errors.photos import (
    InterlacedTooLarge,
    InvalidPhoto,
    NoProductFound,
    PhotoAnimated,
    PhotoChanged,
    PhotoCorrupt,
    PhotoEmpty,
    PhotoMetadataTooLarge,
    PhotoRefused,
    PhotoTooLarge,
    PhotoTooSmall,
    PhotoTruncated,
    PhotoUndecodable,
    ProductTooSmall,
    SideTooLong,
    TooManyPixels,
    UnsupportedFormat,
)
from opal.errors.requests import (
    AddressRefused,
    BackdropTooSmall,
    BackdropUnusable,
    IdempotencyKeyReused,
    InsufficientCredits,
    InvalidBlobPath,
    InvalidDeliveryTarget,
    InvalidInput,
    InvalidJson,
    InvalidMessage,
    InvalidPlacement,
    InvalidPreset,
    InvalidScene,
    InvalidSettings,
    MatteUnusable,
    SignatureInvalid,
    Unauthorized,
    UnknownEngine,
    UnknownPreset,
    UnknownScene,
)
from opal.errors.state import (
    AlreadyUploaded,
    BackdropInUse,
    BackdropNotReady,
    BlobExists,
    BlobNotFound,
    ConfirmationNeeded,
    Conflict,
    DataErased,
    DeadLettered,
    DeliveryTargetDisabled,
    IdempotencyKeyInFlight,
    IllegalMove,
    Interrupted,
    ItemNotExported,
    ItemNotFailed,
    JobFinished,
    JobNotReady,
    LeaseLost,
    LockLost,
    MessageTooLarge,
    NotFound,
    PhotoNeeded,
    PictureExpired,
    PublicLinksOff,
    RevisionConflict,
    SourcesExpired,
    TooManyDeliveryTargets,
    TooManyInterruptions,
    TooManyRevisions,
    TooManyWebhooks,
    UnknownBackdrop,
    UnknownDelivery,
    UnknownDeliveryTarget,
    UnknownReceipt,
    UnknownWebhook,
    UploadExpired,
    UploadMissing,
    WebhookDisabled,
)

__all__ = [
    "AddressRefused",
    "AlreadyUploaded",
    "BackdropInUse",
    "BackdropNotReady",
    "BackdropTooSmall",
    "BackdropUnusable",
    "BlobExists",
    "BlobNotFound",
    "BlobStoreUnavailable",
    "ConfirmationNeeded",
    "Conflict",
    "DataErased",
    "DeadLettered",
    "DecoderInterrupted",
    "DecoderUnavailable",
    "DeliveryTargetDisabled",
    "DependencyError",
    "DestinationFailed",
    "IdempotencyKeyInFlight",
    "IdempotencyKeyReused",
    "IllegalMove",
    "InsufficientCredits",
    "InterlacedTooLarge",
    "Interrupted",
    "InvalidBlobPath",
    "InvalidDeliveryTarget",
    "InvalidInput",
    "InvalidJson",
    "InvalidMessage",
    "InvalidPhoto",
    "InvalidPlacement",
    "InvalidPreset",
    "InvalidScene",
    "InvalidSettings",
    "ItemNotExported",
    "ItemNotFailed",
    "JobFinished",
    "JobNotReady",
    "LeaseLost",
    "LockLost",
    "MatteUnusable",
    "MessageTooLarge",
    "ModelCorrupt",
    "ModelMissing",
    "NoProductFound",
    "NotFound",
    "OpalError",
    "OutgoingFailed",
    "PhotoAnimated",
    "PhotoChanged",
    "PhotoCorrupt",
    "PhotoEmpty",
    "PhotoMetadataTooLarge",
    "PhotoNeeded",
    "PhotoRefused",
    "PhotoTooLarge",
    "PhotoTooSmall",
    "PhotoTruncated",
    "PhotoUndecodable",
    "PictureExpired",
    "ProductTooSmall",
    "PublicLinksOff",
    "QueueUnavailable",
    "RevisionConflict",
    "ScoringBusy",
    "ScoringFailed",
    "ScoringUnavailable",
    "SecretUnreadable",
    "SideTooLong",
    "SignatureInvalid",
    "SigningFailed",
    "SourcesExpired",
    "StorageFull",
    "StoredPictureUnusable",
    "TooManyDeliveryTargets",
    "TooManyInterruptions",
    "TooManyPixels",
    "TooManyRevisions",
    "TooManyWebhooks",
    "Unauthorized",
    "UnknownBackdrop",
    "UnknownDelivery",
    "UnknownDeliveryTarget",
    "UnknownEngine",
    "UnknownPreset",
    "UnknownReceipt",
    "UnknownScene",
    "UnknownWebhook",
    "UnsupportedFormat",
    "UploadExpired",
    "UploadMissing",
    "WebhookDisabled",
    "walk",
]
