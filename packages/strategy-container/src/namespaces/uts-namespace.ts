/** UTS namespaces: the names that uname gives. */
export class UtsNamespace {
  /** Each at most 64 bytes, one character per byte. */
  hostName: string;
  domainName: string;

  constructor(hostName: string, domainName: string) {
    this.hostName = hostName;
    this.domainName = domainName;
  }

  copy(): UtsNamespace {
    return new UtsNamespace(this.hostName, this.domainName);
  }
}
