/// Nix code that is part of the language's definition.
enum InternalCode {
    /// The function `derivation`: a set whose outputs' paths are worked out when someone asks.
    static let derivation: StaticString = """
        # The function `derivation`.
        #
        # What builds things in Nix is `derivationStrict`: it makes a store
        # derivation of a set and gives the paths of it and its outputs.
        # `derivation` wraps it, so that nothing of that happens before
        # somebody looks at a path.
        #
        # The argument says what to build and how: `name`, `system` and
        # `builder` must be there, `args` and `outputs` may be, and everything
        # else becomes a variable of the builder's environment.
        #
        # The result is that set again, and in it:
        #
        #   outPath      where the first output will be, as a string that
        #                makes whoever uses it depend on the derivation;
        #   drvPath      where the store derivation is;
        #   type         "derivation", by which such sets are known;
        #   outputName   which output this set stands for;
        #   all          a set like this one for every output, in a list;
        #   drvAttrs     the argument as it was given;
        #
        # and one attribute for each output, called like it.
        #
        # Error messages name lines of this text, and people compare them
        # with those of other implementations: the code below therefore
        # begins at line 31.
        #
        #
        drvAttrs@{
          outputs ? [ "out" ],
          ...
        }:

        let

          strict = derivationStrict drvAttrs;

          commonAttrs =
            drvAttrs
            // (builtins.listToAttrs outputsList)
            // {
              all = map (x: x.value) outputsList;
              inherit drvAttrs;
            };

          outputToAttrListElement = outputName: {
            name = outputName;
            value = commonAttrs // {
              outPath = strict.${outputName};
              drvPath = strict.drvPath;
              type = "derivation";
              inherit outputName;
            };
          };

          outputsList = map outputToAttrListElement outputs;

        in
        (builtins.head outputsList).value

        """

    /// What `import` makes of a `.drv` file.
    static let importedDerivation: StaticString = """
        attrs@{ drvPath, outputs, name, ... }:

        let
          commonAttrs = (builtins.listToAttrs outputsList) // {
            all = map (x: x.value) outputsList;
            inherit drvPath name;
            type = "derivation";
          };

          outputToAttrListElement = outputName: {
            name = outputName;
            value = commonAttrs // {
              outPath = builtins.getAttr outputName attrs;
              inherit outputName;
            };
          };

          outputsList = map outputToAttrListElement outputs;

        in
        (builtins.head outputsList).value

        """

    /// `<nix/fetchurl.nix>`: a fixed-output derivation that the evaluator's host builds itself.
    static let fetchURL: StaticString = """
        {
          system ? "", # obsolete
          url,
          hash ? "", # an SRI hash

          # Legacy hash specification
          md5 ? "",
          sha1 ? "",
          sha256 ? "",
          sha512 ? "",
          outputHash ?
            if hash != "" then
              hash
            else if sha512 != "" then
              sha512
            else if sha1 != "" then
              sha1
            else if md5 != "" then
              md5
            else
              sha256,
          outputHashAlgo ?
            if hash != "" then
              ""
            else if sha512 != "" then
              "sha512"
            else if sha1 != "" then
              "sha1"
            else if md5 != "" then
              "md5"
            else
              "sha256",

          executable ? false,
          unpack ? false,
          name ? baseNameOf (toString url),
          impure ? false,
        }:

        derivation (
          {
            builder = "builtin:fetchurl";

            # New-style output content requirements.
            outputHashMode = if unpack || executable then "recursive" else "flat";

            inherit
              name
              url
              executable
              unpack
              ;

            system = "builtin";

            # No need to double the amount of network traffic
            preferLocalBuild = true;

            impureEnvVars = [
              # We borrow these environment variables from the caller to allow
              # easy proxy configuration.  This is impure, but a fixed-output
              # derivation like fetchurl is allowed to do so since its result is
              # by definition pure.
              "http_proxy"
              "https_proxy"
              "ftp_proxy"
              "all_proxy"
              "no_proxy"
            ];

            # To make "nix-prefetch-url" work.
            urls = [ url ];
          }
          // (if impure then { __impure = true; } else { inherit outputHashAlgo outputHash; })
        )

        """
}
