      * What Nusabus answers to a sender: one ACKNOWLEDGEMENT, then one
      * CONTROL-TOTAL for each figure of the header and trailer.
       01  ACKNOWLEDGEMENT.
           05  REC-TYPE             PIC X(2).
               88  IS-ACK           VALUE 'AK'.
           05  FILE-NAME            PIC X(64).
           05  ARRIVAL              PIC 9(8).
           05  STATUS-CODE          PIC X(10).
               88  IS-ACCEPTED      VALUE 'ACCEPTED'.
               88  IS-PARTIAL       VALUE 'PARTIAL'.
               88  IS-DUPLICATE     VALUE 'DUPLICATE'.
               88  IS-REJECTED      VALUE 'REJECTED'.
               88  IS-QUARANTINE    VALUE 'QUARANTINE'.
           05  FILE-SIZE            PIC 9(15).
           05  FILE-SHA256          PIC X(64).
           05  RECORDS-READ         PIC 9(12).
           05  RECORDS-PUBLISHED    PIC 9(12).
           05  RECORDS-REJECTED     PIC 9(12).
           05  RECEIVED-AT          PIC X(20).
           05  FINISHED-AT          PIC X(20).
           05  REASON               PIC X(161).
       01  CONTROL-TOTAL.
           05  REC-TYPE             PIC X(2).
               88  IS-TOTAL         VALUE 'TT'.
           05  FILE-NAME            PIC X(64).
           05  ARRIVAL              PIC 9(8).
           05  TOTAL-NAME           PIC X(64).
           05  STATED-BY-SENDER     PIC S9(27)V9(4)
                                    SIGN LEADING SEPARATE.
           05  FOUND-BY-BUS         PIC S9(27)V9(4)
                                    SIGN LEADING SEPARATE.
           05  AGREES               PIC X.
               88  DOES-AGREE       VALUE 'Y'.
               88  DOES-NOT-AGREE   VALUE 'N'.
               88  NOT-PROVEN       VALUE 'U'.
           05  UNREADABLE-RECORDS   PIC 9(12).
           05  FILLER               PIC X(185).
