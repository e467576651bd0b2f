import JSON

/// The body of `POST /swarm/init`.
public struct SwarmInitRequest: JSONRecord {
    /// `ADDRESS|INTERFACE[:PORT]`
    public var listenAddr = ""
    /// The same; empty for the listen address, or the host's only one.
    public var advertiseAddr = ""
    /// `ADDRESS|INTERFACE`; empty for the advertised one.
    public var dataPathAddr = ""
    /// 0 for 4789.
    public var dataPathPort: UInt32 = 0
    /// From where overlay networks get their subnets; empty for 10.0.0.0/8.
    public var defaultAddrPool: [String]?
    /// The length of those subnets; 0 for 24.
    public var subnetSize: UInt32 = 0
    public var forceNewCluster = false
    public var autoLockManagers = false
    /// `active`, `pause` or `drain`; empty for the first.
    public var availability = ""
    public var spec = SwarmSpec()
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.always("ListenAddr", &listenAddr)
        json.always("AdvertiseAddr", &advertiseAddr)
        json.always("DataPathAddr", &dataPathAddr)
        json.always("DataPathPort", &dataPathPort)
        json.nullable("DefaultAddrPool", &defaultAddrPool)
        json.always("SubnetSize", &subnetSize)
        json.always("ForceNewCluster", &forceNewCluster)
        json.always("AutoLockManagers", &autoLockManagers)
        json.always("Availability", &availability)
        json.always("Spec", &spec)
    }
}

/// What a swarm's user can set. Of a swarm of one node most of it only waits to be read again.
public struct SwarmSpec: JSONRecord {
    public var name = ""
    public var labels: [String: String] = [:]
    public var orchestration = Orchestration()
    public var raft = Raft()
    public var dispatcher = Dispatcher()
    public var certificates = CertificateConfig()
    public var taskDefaults = JSONObject()
    public var encryption = Encryption()
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.always("Name", &name)
        json.always("Labels", &labels)
        json.always("Orchestration", &orchestration)
        json.always("Raft", &raft)
        json.always("Dispatcher", &dispatcher)
        json.always("CAConfig", &certificates)
        json.always("TaskDefaults", &taskDefaults)
        json.always("EncryptionConfig", &encryption)
    }

    public struct Orchestration: JSONRecord {
        public var taskHistoryRetentionLimit: Int64?
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.optional("TaskHistoryRetentionLimit", &taskHistoryRetentionLimit)
        }
    }

    public struct Raft: JSONRecord {
        public var snapshotInterval: UInt64 = 0
        public var keepOldSnapshots: UInt64 = 0
        public var logEntriesForSlowFollowers: UInt64 = 0
        public var electionTick = 0
        public var heartbeatTick = 0
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.omitEmpty("SnapshotInterval", &snapshotInterval)
            json.always("KeepOldSnapshots", &keepOldSnapshots)
            json.omitEmpty("LogEntriesForSlowFollowers", &logEntriesForSlowFollowers)
            json.always("ElectionTick", &electionTick)
            json.always("HeartbeatTick", &heartbeatTick)
        }
    }

    public struct Dispatcher: JSONRecord {
        /// Nanoseconds.
        public var heartbeatPeriod: Int64 = 0
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.omitEmpty("HeartbeatPeriod", &heartbeatPeriod)
        }
    }

    public struct CertificateConfig: JSONRecord {
        /// Nanoseconds.
        public var nodeCertExpiry: Int64 = 0
        public var externalCAs: [JSONValue] = []
        public var signingCACert = ""
        public var signingCAKey = ""
        public var forceRotate: UInt64 = 0
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.omitEmpty("NodeCertExpiry", &nodeCertExpiry)
            json.omitEmpty("ExternalCAs", &externalCAs)
            json.omitEmpty("SigningCACert", &signingCACert)
            json.omitEmpty("SigningCAKey", &signingCAKey)
            json.omitEmpty("ForceRotate", &forceRotate)
        }
    }

    public struct Encryption: JSONRecord {
        public var autoLockManagers = false
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.always("AutoLockManagers", &autoLockManagers)
        }
    }
}

/// The answer to `GET /swarm`; without the tokens, the part of `GET /info` about the cluster.
public struct SwarmResource: JSONRecord {
    public var head = SwarmObjectHead()
    public var spec = SwarmSpec()
    public var rootRotationInProgress = false
    public var defaultAddrPool: [String] = []
    public var subnetSize: UInt32 = 0
    public var dataPathPort: UInt32 = 0
    public var joinTokens: JoinTokens?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        head.members(&json)
        json.always("Spec", &spec)
        json.always("RootRotationInProgress", &rootRotationInProgress)
        json.always("DefaultAddrPool", &defaultAddrPool)
        json.always("SubnetSize", &subnetSize)
        json.always("DataPathPort", &dataPathPort)
        json.optional("JoinTokens", &joinTokens)
    }

    public struct JoinTokens: JSONRecord {
        public var worker = ""
        public var manager = ""
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.always("Worker", &worker)
            json.always("Manager", &manager)
        }
    }
}

/// The members that a swarm and its nodes begin with.
public struct SwarmObjectHead: Sendable, Equatable {
    public var id = ""
    /// Tells whether the object changed since it was read.
    public var version = Version()
    public var createdAt = Timestamp.zero.description
    public var updatedAt = Timestamp.zero.description

    public init() {}

    public init(id: String, version: UInt64, createdAt: String, updatedAt: String) {
        self.id = id
        self.version.index = version
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("ID", &id)
        json.always("Version", &version)
        json.always("CreatedAt", &createdAt)
        json.always("UpdatedAt", &updatedAt)
    }

    public struct Version: JSONRecord {
        public var index: UInt64 = 0
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.always("Index", &index)
        }
    }
}

/// What a node's user can set.
public struct SwarmNodeSpec: JSONRecord {
    public var name = ""
    public var labels: [String: String] = [:]
    /// `manager` or `worker`
    public var role = ""
    /// `active`, `pause` or `drain`
    public var availability = ""
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.omitEmpty("Name", &name)
        json.always("Labels", &labels)
        json.always("Role", &role)
        json.always("Availability", &availability)
    }
}

/// A node, as `GET /nodes/{id}` shows it.
public struct SwarmNode: JSONRecord {
    public var head = SwarmObjectHead()
    public var spec = SwarmNodeSpec()
    /// Host name, platform, resources and engine.
    public var description = JSONObject()
    public var status = JSONObject()
    public var managerStatus = JSONObject()
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        head.members(&json)
        json.always("Spec", &spec)
        json.always("Description", &description)
        json.always("Status", &status)
        json.always("ManagerStatus", &managerStatus)
    }
}
