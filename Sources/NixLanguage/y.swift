public func y() -> Int { 1 }
