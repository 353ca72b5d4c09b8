#!/usr/bin/env python3
"""Make data/targets/aws.csv anew: where a CloudTrail record says what an operation changed, and what it granted.

	python3 data/targets/derive_aws.py > data/targets/aws.csv

Needs the module botocore (Debian: python3-botocore).  Only for whoever changes
the catalogue or the rows below; building does not need it, since what it makes
is kept beside it.

For every operation of data/catalogue/aws.csv that is watched: the rows that
were read and written by hand (REVIEWED), else what the model of the API says.
CloudTrail writes the members of a request with their first letter in lower
case; newer operations of EC2 have them, as they are, within OPERATIONRequest.
"""
import csv
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
Q, R = "requestParameters.", "responseElements."

# service:operation operation ... > target ... > granted ...
# A name alone is one of requestParameters; R. is responseElements, / the root.
# Names of services and operations may be *, of targets too where nothing is left to say.
REVIEWED = """
iam:AddUserToGroup > userName > groupName
iam:RemoveUserFromGroup > userName
iam:AttachUserPolicy > userName > policyArn
iam:AttachGroupPolicy > groupName > policyArn
iam:AttachRolePolicy > roleName > policyArn
iam:DetachUserPolicy DeleteUserPolicy DeleteUserPermissionsBoundary > userName
iam:DetachGroupPolicy DeleteGroupPolicy > groupName
iam:DetachRolePolicy DeleteRolePolicy DeleteRolePermissionsBoundary > roleName
iam:PutUserPolicy > userName > policyName
iam:PutGroupPolicy > groupName > policyName
iam:PutRolePolicy > roleName > policyName
iam:PutUserPermissionsBoundary > userName > permissionsBoundary
iam:PutRolePermissionsBoundary > roleName > permissionsBoundary
iam:CreateUser > userName R.user.userName > permissionsBoundary
iam:UpdateUser DeleteUser TagUser UntagUser > userName
iam:CreateRole > roleName R.role.roleName > permissionsBoundary
iam:UpdateRole UpdateRoleDescription DeleteRole TagRole UntagRole UpdateAssumeRolePolicy > roleName
iam:CreateServiceLinkedRole > R.role.roleName aWSServiceName
iam:DeleteServiceLinkedRole > roleName
iam:CreateGroup UpdateGroup DeleteGroup > groupName
iam:CreatePolicy > policyName R.policy.arn
iam:CreatePolicyVersion SetDefaultPolicyVersion > policyArn > versionId R.policyVersion.versionId
iam:DeletePolicy DeletePolicyVersion TagPolicy UntagPolicy > policyArn
iam:CreateInstanceProfile DeleteInstanceProfile TagInstanceProfile UntagInstanceProfile > instanceProfileName
iam:AddRoleToInstanceProfile > instanceProfileName > roleName
iam:RemoveRoleFromInstanceProfile > instanceProfileName
iam:CreateAccessKey > userName R.accessKey.userName /userIdentity.userName > R.accessKey.accessKeyId
iam:UpdateAccessKey > userName /userIdentity.userName accessKeyId
iam:DeleteAccessKey > userName /userIdentity.userName accessKeyId
iam:CreateLoginProfile > userName R.loginProfile.userName /userIdentity.userName
iam:UpdateLoginProfile DeleteLoginProfile > userName /userIdentity.userName
iam:ChangePassword > userName /userIdentity.userName /userIdentity.arn
iam:CreateServiceSpecificCredential > userName R.serviceSpecificCredential.userName /userIdentity.userName > serviceName
iam:ResetServiceSpecificCredential UpdateServiceSpecificCredential DeleteServiceSpecificCredential > userName R.serviceSpecificCredential.userName serviceSpecificCredentialId
iam:UploadSSHPublicKey > userName > R.sSHPublicKey.sSHPublicKeyId
iam:UpdateSSHPublicKey DeleteSSHPublicKey > userName sSHPublicKeyId
iam:UploadSigningCertificate > userName R.certificate.userName /userIdentity.userName > R.certificate.certificateId
iam:UpdateSigningCertificate DeleteSigningCertificate > userName /userIdentity.userName certificateId
iam:UploadServerCertificate UpdateServerCertificate DeleteServerCertificate TagServerCertificate UntagServerCertificate > serverCertificateName
iam:CreateVirtualMFADevice > virtualMFADeviceName R.virtualMFADevice.serialNumber
iam:DeleteVirtualMFADevice TagMFADevice UntagMFADevice > serialNumber
iam:EnableMFADevice DeactivateMFADevice ResyncMFADevice > userName /userIdentity.userName serialNumber
iam:CreateSAMLProvider > name R.sAMLProviderArn
iam:UpdateSAMLProvider DeleteSAMLProvider TagSAMLProvider UntagSAMLProvider > sAMLProviderArn
iam:CreateOpenIDConnectProvider > url R.openIDConnectProviderArn > clientIDList[]
iam:AddClientIDToOpenIDConnectProvider > openIDConnectProviderArn > clientID
iam:UpdateOpenIDConnectProviderThumbprint > openIDConnectProviderArn > thumbprintList[]
iam:RemoveClientIDFromOpenIDConnectProvider DeleteOpenIDConnectProvider TagOpenIDConnectProvider UntagOpenIDConnectProvider > openIDConnectProviderArn
iam:CreateAccountAlias DeleteAccountAlias > accountAlias
iam:UpdateAccountPasswordPolicy DeleteAccountPasswordPolicy SetSecurityTokenServicePreferences EnableOrganizationsRootSessions DisableOrganizationsRootSessions EnableOrganizationsRootCredentialsManagement DisableOrganizationsRootCredentialsManagement EnableOutboundWebIdentityFederation DisableOutboundWebIdentityFederation > /recipientAccountId
iam:CreateDelegationRequest > ownerAccountId R.delegationRequestId > permissions.policyTemplateArn
iam:AcceptDelegationRequest AssociateDelegationRequest RejectDelegationRequest UpdateDelegationRequest SendDelegationToken > delegationRequestId
sts:AssumeRoot > targetPrincipal > taskPolicyArn.arn
sts:GetFederationToken > name R.federatedUser.arn > policyArns[].arn
signin:PasswordUpdated PasswordRecoveryCompleted PasswordRecoveryRequested EmailUpdated > /userIdentity.arn /userIdentity.userName
account:StartPrimaryEmailUpdate AcceptPrimaryEmailUpdate > accountId /recipientAccountId > primaryEmail
account:PutAlternateContact > alternateContactType > emailAddress
account:DeleteAlternateContact > alternateContactType
account:PutContactInformation > accountId /recipientAccountId
account:EnableRegion DisableRegion > regionName
organizations:AttachPolicy > targetId > policyId
organizations:DetachPolicy > targetId policyId
organizations:CreatePolicy > name R.policy.policySummary.arn
organizations:UpdatePolicy DeletePolicy > policyId
organizations:EnablePolicyType DisablePolicyType > rootId > policyType
organizations:CreateAccount CreateGovCloudAccount > accountName email R.createAccountStatus.accountId > roleName
organizations:CloseAccount RemoveAccountFromOrganization > accountId
organizations:MoveAccount > accountId > destinationParentId
organizations:InviteAccountToOrganization > target.id
organizations:AcceptHandshake CancelHandshake DeclineHandshake > handshakeId
organizations:RegisterDelegatedAdministrator > accountId > servicePrincipal
organizations:DeregisterDelegatedAdministrator > accountId
organizations:EnableAWSServiceAccess DisableAWSServiceAccess > servicePrincipal
organizations:LeaveOrganization > /recipientAccountId
organizations:DeleteOrganization CreateOrganization EnableAllFeatures > R.organization.id /recipientAccountId
organizations:PutResourcePolicy > R.resourcePolicy.resourcePolicySummary.arn /recipientAccountId
organizations:DeleteResourcePolicy > /recipientAccountId
organizations:CreateOrganizationalUnit > name R.organizationalUnit.id
organizations:UpdateOrganizationalUnit DeleteOrganizationalUnit > organizationalUnitId
sso:CreateAccountAssignment > principalId > permissionSetArn
sso:DeleteAccountAssignment > principalId
sso:CreateApplicationAssignment > principalId > applicationArn
sso:DeleteApplicationAssignment > principalId
sso:AttachManagedPolicyToPermissionSet > permissionSetArn > managedPolicyArn
sso:AttachCustomerManagedPolicyReferenceToPermissionSet > permissionSetArn > customerManagedPolicyReference.name
sso:PutInlinePolicyToPermissionSet > permissionSetArn
sso:PutPermissionsBoundaryToPermissionSet > permissionSetArn > permissionsBoundary.managedPolicyArn permissionsBoundary.customerManagedPolicyReference.name
sso:CreatePermissionSet > name R.permissionSet.permissionSetArn
sso:UpdatePermissionSet DeletePermissionSet DetachManagedPolicyFromPermissionSet DetachCustomerManagedPolicyReferenceFromPermissionSet DeleteInlinePolicyFromPermissionSet DeletePermissionsBoundaryFromPermissionSet > permissionSetArn
sso:ProvisionPermissionSet > permissionSetArn > targetId
sso:PutPermissionsPolicy DeletePermissionsPolicy > permissionSetId permissionSetArn
sso:AssociateProfile > accessorId principalId > profileId
sso:DisassociateProfile > accessorId principalId profileId
sso:CreateProfile UpdateProfile DeleteProfile > R.profile.profileId profileId name
sso:CreateTrust UpdateTrust > R.trustId trustId applicationInstanceId directoryId
sso:AssociateDirectory DisassociateDirectory UpdateDirectoryAssociation > directoryId
sso:CreateApplicationInstance CreateManagedApplicationInstance > R.applicationInstance.instanceId name displayName templateId
sso:CreateApplicationInstanceCertificate DeleteApplicationInstanceCertificate UpdateApplicationInstanceActiveCertificate > instanceId applicationInstanceId
sso:DeleteApplicationInstance ImportApplicationInstanceServiceProviderMetadata UpdateApplicationInstanceDisplayData UpdateApplicationInstanceResponseConfiguration UpdateApplicationInstanceResponseSchemaConfiguration UpdateApplicationInstanceSecurityConfiguration UpdateApplicationInstanceServiceProviderConfiguration UpdateApplicationInstanceStatus > instanceId applicationInstanceId
sso:StartSSO UpdateSSOConfiguration UpdateSsoConfiguration PutMfaDeviceManagementForDirectory > directoryId ssoInstance instanceArn /recipientAccountId
sso:CreateTrustedTokenIssuer > name R.trustedTokenIssuerArn > trustedTokenIssuerConfiguration.oidcJwtConfiguration.issuerUrl
sso:EnableExternalIdPConfigurationForDirectory DisableExternalIdPConfigurationForDirectory > configurationId directoryId
sso:CreateInstance UpdateInstance > instanceArn name R.instanceArn
sso:AddRegion RemoveRegion > regionName region instanceArn
sso:CreateInstanceAccessControlAttributeConfiguration UpdateInstanceAccessControlAttributeConfiguration DeleteInstanceAccessControlAttributeConfiguration > instanceArn
sso-directory:AddMemberToGroup > memberId memberIds[0] > groupId
sso-directory:RemoveMemberFromGroup > memberId memberIds[0]
sso-directory:CreateUser > userName R.user.userName R.user.userId userAttributes.userName
sso-directory:UpdateUser UpdateUserName UpdatePassword EnableUser DisableUser DeleteUser VerifyEmail > userId userName
sso-directory:DeleteMfaDeviceForUser UpdateMfaDeviceForUser StartVirtualMfaDeviceRegistration CompleteVirtualMfaDeviceRegistration StartWebAuthnDeviceRegistration CompleteWebAuthnDeviceRegistration > userId deviceId mfaDeviceId
sso-directory:CreateGroup UpdateGroup UpdateGroupDisplayName DeleteGroup > R.group.groupId groupId groupName displayName
sso-directory:CreateBearerToken DeleteBearerToken CreateProvisioningTenant DeleteProvisioningTenant > R.bearerToken.tokenId tokenId tenantId R.tenantId directoryId
sso-directory:CreateExternalIdPConfigurationForDirectory UpdateExternalIdPConfigurationForDirectory EnableExternalIdPConfigurationForDirectory DisableExternalIdPConfigurationForDirectory DeleteExternalIdPConfigurationForDirectory ImportExternalIdPCertificate DeleteExternalIdPCertificate > configurationId externalIdPConfigurationId R.configurationId directoryId
sso-directory:CreateAlias > alias directoryId
sso-directory:AssociateDirectory DisassociateDirectory UpdateMfaDeviceManagementForDirectory > directoryId
identitystore:CreateUser > userName R.userId
identitystore:UpdateUser DeleteUser > userId
identitystore:CreateGroup > displayName R.groupId
identitystore:UpdateGroup DeleteGroup > groupId
identitystore:CreateGroupMembership > memberId.userId > groupId
identitystore:DeleteGroupMembership > membershipId
kms:PutKeyPolicy > keyId /resources[0].ARN
kms:CreateGrant > keyId /resources[0].ARN > granteePrincipal
kms:RetireGrant > keyId /resources[0].ARN grantId
kms:RevokeGrant > keyId /resources[0].ARN grantId
kms:CreateKey > R.keyMetadata.arn R.keyMetadata.keyId /resources[0].ARN
kms:ReplicateKey > keyId R.replicaKeyMetadata.arn > replicaRegion
s3:PutBucketPolicy DeleteBucketPolicy PutBucketAcl PutBucketPublicAccessBlock DeleteBucketPublicAccessBlock PutPublicAccessBlock DeletePublicAccessBlock PutBucketOwnershipControls DeleteBucketOwnershipControls > bucketName bucket /resources[type=AWS::S3::Bucket].ARN accountId > AccessControlPolicy.AccessControlList.Grant[].{Permission} {Grantee.URI}{Grantee.ID} x-amz-acl[]
s3:PutObjectAcl > key /resources[type=AWS::S3::Object].ARN bucketName > AccessControlPolicy.AccessControlList.Grant[].{Permission} {Grantee.URI}{Grantee.ID} x-amz-acl[]
s3:PutAccountPublicAccessBlock DeleteAccountPublicAccessBlock > accountId /recipientAccountId
s3:PutAccessPointPolicy DeleteAccessPointPolicy PutAccessPointPolicyForObjectLambda DeleteAccessPointPolicyForObjectLambda > name accessPointName /resources[0].ARN
s3:PutMultiRegionAccessPointPolicy > PutMultiRegionAccessPointPolicyRequest.Details.Name details.name name
s3:CreateAccessGrant > CreateAccessGrantRequest.Grantee.GranteeIdentifier grantee.granteeIdentifier R.CreateAccessGrantResult.AccessGrantArn accessGrantsLocationId > CreateAccessGrantRequest.Permission permission
s3:CreateAccessGrantsLocation > CreateAccessGrantsLocationRequest.LocationScope locationScope > CreateAccessGrantsLocationRequest.IAMRoleArn iAMRoleArn
s3:DeleteAccessGrant > id accessGrantId
s3:PutAccessGrantsInstanceResourcePolicy DeleteAccessGrantsInstanceResourcePolicy > accountId /recipientAccountId
s3-outposts:PutBucketPolicy DeleteBucketPolicy PutAccessPointPolicy DeleteAccessPointPolicy > bucketName bucket name /resources[0].ARN
ec2:CreateKeyPair ImportKeyPair > keyName > R.keyPairId
ec2:DeleteKeyPair > keyName keyPairId
ec2:ModifySnapshotAttribute ResetSnapshotAttribute > snapshotId > createVolumePermission.add.items[].{userId}{group}
ec2:ModifyImageAttribute ResetImageAttribute > imageId > launchPermission.add.items[].{userId}{group}{organizationArn}{organizationalUnitArn}
ec2:ModifyFpgaImageAttribute > fpgaImageId ModifyFpgaImageAttributeRequest.FpgaImageId > loadPermission.add.items[].{userId}{group} ModifyFpgaImageAttributeRequest.LoadPermission.Add.UserId
ec2:AssociateIamInstanceProfile > AssociateIamInstanceProfileRequest.InstanceId instanceId > AssociateIamInstanceProfileRequest.IamInstanceProfile.{Arn}{Name} iamInstanceProfile.{arn}{name}
ec2:ReplaceIamInstanceProfileAssociation > R.ReplaceIamInstanceProfileAssociationResponse.iamInstanceProfileAssociation.instanceId ReplaceIamInstanceProfileAssociationRequest.AssociationId associationId > ReplaceIamInstanceProfileAssociationRequest.IamInstanceProfile.{Arn}{Name} iamInstanceProfile.{arn}{name}
ec2:DisassociateIamInstanceProfile > R.DisassociateIamInstanceProfileResponse.iamInstanceProfileAssociation.instanceId DisassociateIamInstanceProfileRequest.AssociationId associationId
ec2:ModifyVpcEndpointServicePermissions > ModifyVpcEndpointServicePermissionsRequest.ServiceId serviceId > ModifyVpcEndpointServicePermissionsRequest.AddAllowedPrincipals.content ModifyVpcEndpointServicePermissionsRequest.AddAllowedPrincipals[].content
ec2:DeleteFlowLogs > DeleteFlowLogsRequest.FlowLogId[].content DeleteFlowLogsRequest.FlowLogId
ec2:EnableSerialConsoleAccess DisableSerialConsoleAccess DisableImageBlockPublicAccess DisableSnapshotBlockPublicAccess > /recipientAccountId
ec2:ModifyInstanceMetadataOptions > ModifyInstanceMetadataOptionsRequest.InstanceId instanceId
ec2-instance-connect:SendSSHPublicKey > instanceId > instanceOSUser
ec2-instance-connect:SendSerialConsoleSSHPublicKey > instanceId
lambda:AddPermission AddPermission20150331 AddPermission20150331v2 > functionName > principal
lambda:RemovePermission RemovePermission20150331v2 > functionName
lambda:AddLayerVersionPermission AddLayerVersionPermission20181031 > layerName > principal
lambda:RemoveLayerVersionPermission RemoveLayerVersionPermission20181031 > layerName
lambda:CreateFunctionUrlConfig UpdateFunctionUrlConfig CreateFunctionUrlConfig20211031 UpdateFunctionUrlConfig20211031 > functionName > authType
lambda:UpdateFunctionConfiguration UpdateFunctionConfiguration20150331v2 > functionName > role
rds:ModifyDBSnapshotAttribute > dBSnapshotIdentifier > valuesToAdd[]
rds:ModifyDBClusterSnapshotAttribute > dBClusterSnapshotIdentifier > valuesToAdd[]
rds:AddRoleToDBCluster > dBClusterIdentifier > roleArn
rds:AddRoleToDBInstance > dBInstanceIdentifier > roleArn
eks:CreateAccessEntry UpdateAccessEntry > principalArn > kubernetesGroups[]
eks:DeleteAccessEntry DisassociateAccessPolicy > principalArn
eks:AssociateAccessPolicy > principalArn > policyArn
eks:CreatePodIdentityAssociation > serviceAccount > roleArn
eks:UpdatePodIdentityAssociation > R.association.serviceAccount associationId > roleArn
eks:DeletePodIdentityAssociation > R.association.serviceAccount associationId
eks:AssociateIdentityProviderConfig > oidc.identityProviderConfigName > oidc.issuerUrl
eks:DisassociateIdentityProviderConfig > identityProviderConfig.name
eks:UpdateClusterConfig > name clusterName
sns:AddPermission > topicArn > aWSAccountIds[] aWSAccountId[]
sns:SetTopicAttributes > topicArn > attributeName
sqs:AddPermission > queueUrl > aWSAccountIds[]
sqs:SetQueueAttributes RemovePermission > queueUrl
ecr:PutRegistryPolicy DeleteRegistryPolicy > registryId R.registryId /recipientAccountId
ecr:SetRepositoryPolicy DeleteRepositoryPolicy > repositoryName
secretsmanager:PutResourcePolicy DeleteResourcePolicy > secretId R.arn
ssm:ModifyDocumentPermission > name > accountIdsToAdd[]
ssm:CreateActivation > R.activationId description > iamRole
ssm:PutResourcePolicy DeleteResourcePolicy > resourceArn
ram:CreateResourceShare > name R.resourceShare.resourceShareArn > principals[]
ram:AssociateResourceShare > resourceShareArn > principals[] resourceArns[]
ram:AssociateResourceSharePermission > resourceShareArn > permissionArn
ram:EnableSharingWithAwsOrganization > /recipientAccountId
lakeformation:GrantPermissions > principal.dataLakePrincipalIdentifier > permissions[]
lakeformation:RevokePermissions > principal.dataLakePrincipalIdentifier
lakeformation:BatchGrantPermissions > entries[0].principal.dataLakePrincipalIdentifier catalogId > entries[].permissions[]
lakeformation:BatchRevokePermissions > entries[0].principal.dataLakePrincipalIdentifier catalogId
lakeformation:PutDataLakeSettings > catalogId dataLakeSettings.dataLakeAdmins[0].dataLakePrincipalIdentifier /recipientAccountId > dataLakeSettings.dataLakeAdmins[].dataLakePrincipalIdentifier
lakeformation:CreateLakeFormationOptIn > principal.dataLakePrincipalIdentifier
lakeformation:RegisterResource > resourceArn > roleArn
cognito-idp:AdminAddUserToGroup > username > groupName
cognito-idp:AdminRemoveUserFromGroup > username
cognito-idp:AdminLinkProviderForUser > destinationUser.providerAttributeValue > sourceUser.providerName
cognito-idp:AdminDisableProviderForUser > user.providerAttributeValue
cognito-idp:AdminCreateUser AdminSetUserPassword AdminResetUserPassword AdminEnableUser AdminDisableUser AdminDeleteUser AdminDeleteUserAttributes AdminUpdateUserAttributes AdminConfirmSignUp AdminSetUserMFAPreference AdminSetUserSettings > username
cognito-idp:CreateGroup UpdateGroup > groupName > roleArn
cognito-idp:DeleteGroup > groupName
cognito-idp:CreateIdentityProvider UpdateIdentityProvider DeleteIdentityProvider > providerName
cognito-idp:CreateUserPool > poolName R.userPool.id
cognito-idp:CreateUserPoolClient > clientName R.userPoolClient.clientId
cognito-idp:UpdateUserPoolClient DeleteUserPoolClient AddUserPoolClientSecret DeleteUserPoolClientSecret > clientId
cognito-identity:SetIdentityPoolRoles > identityPoolId > roles.authenticated roles.unauthenticated
cognito-identity:CreateIdentityPool > identityPoolName R.identityPoolId
cognito-identity:DeleteIdentities > identityIdsToDelete[0]
cognito-identity:MergeDeveloperIdentities > destinationUserIdentifier
cognito-identity:UnlinkDeveloperIdentity UnlinkIdentity > identityId
rolesanywhere:CreateTrustAnchor > name R.trustAnchor.name
rolesanywhere:UpdateTrustAnchor EnableTrustAnchor DisableTrustAnchor DeleteTrustAnchor > trustAnchorId R.trustAnchor.trustAnchorId
rolesanywhere:CreateProfile > name > roleArns[]
rolesanywhere:UpdateProfile > profileId > roleArns[]
rolesanywhere:EnableProfile DisableProfile DeleteProfile PutAttributeMapping DeleteAttributeMapping > profileId
iot:AttachPolicy > target > policyName
iot:AttachPrincipalPolicy > principal > policyName
iot:DetachPolicy > target
iot:DetachPrincipalPolicy > principal
iot:CreateKeysAndCertificate CreateCertificateFromCsr RegisterCertificate RegisterCertificateWithoutCA RegisterCACertificate > R.certificateId R.certificateArn
ds:CreateTrust > remoteDomainName > trustDirection
ds:ShareDirectory > directoryId > shareTarget.id
ds:CreateDirectory CreateMicrosoftAD ConnectDirectory > name R.directoryId
ds:ResetUserPassword > userName
ds-data:AddGroupMember > memberName > groupName
ds-data:RemoveGroupMember > memberName
acm-pca:PutPolicy DeletePolicy > resourceArn
acm-pca:CreatePermission > certificateAuthorityArn > principal
acm-pca:DeletePermission > certificateAuthorityArn
apigateway:UpdateRestApiPolicy UpdateRestApi > restApiId
apigateway:CreateApiKey > createApiKeyInput.name name R.name R.id
apigateway:CreateAuthorizer > createAuthorizerInput.name name restApiId
cloudtrail:UpdateTrail DeleteTrail StopLogging > name
cloudtrail:PutEventSelectors > trailName
config:StopConfigurationRecorder DeleteConfigurationRecorder > configurationRecorderName
guardduty:DeleteMembers DisassociateMembers StopMonitoringMembers > accountIds[] detectorId
guardduty:DeletePublishingDestination > destinationId
guardduty:EnableOrganizationAdminAccount DisableOrganizationAdminAccount > adminAccountId
securityhub:DeleteMembers DisassociateMembers > accountIds[]
securityhub:DisableSecurityHub DisassociateFromMasterAccount DisassociateFromAdministratorAccount > /recipientAccountId
securityhub:BatchDisableStandards > standardsSubscriptionArns[]
macie2:DisableMacie DisassociateFromMasterAccount DisassociateFromAdministratorAccount > /recipientAccountId
inspector2:Disable > accountIds[] /recipientAccountId
lightsail:DownloadDefaultKeyPair > /recipientAccountId
health:EnableHealthServiceAccessForOrganization DisableHealthServiceAccessForOrganization > /recipientAccountId
servicecatalog:EnableAWSOrganizationsAccess > /recipientAccountId
servicecatalog:AssociatePrincipalWithPortfolio > principalARN > portfolioId
servicecatalog:DisassociatePrincipalFromPortfolio > principalARN
servicecatalog:CreatePortfolioShare > portfolioId > accountId organizationNode.value
codestar:AssociateTeamMember > userArn > projectRole
codestar:UpdateTeamMember > userArn > projectRole
codestar:DisassociateTeamMember > userArn
codestar:CreateProject CreateProjectFromTemplate > id R.id name
codebuild:UpdateProjectVisibility > projectArn > projectVisibility
codebuild:ImportSourceCredentials DeleteSourceCredentials > R.arn arn serverType
quicksight:CreateAdmin CreateUser > /serviceEventDetails.eventRequestDetails.users userName email > /serviceEventDetails.eventRequestDetails.role
quicksight:RegisterUser > userName email iamArn R.user.userName > userRole
quicksight:CreateGroupMembership > memberName > groupName
quicksight:DeleteGroupMembership > memberName
quicksight:UpdateUser > userName > role
quicksight:CreateIAMPolicyAssignment UpdateIAMPolicyAssignment > assignmentName > policyArn
redshift:CreateClusterUser > userName dbUser clusterIdentifier
redshift:JoinGroup > dbUser userName > dbGroups[] dbGroup
redshift:AuthorizeSnapshotAccess > snapshotIdentifier snapshotArn > accountWithRestoreAccess
redshift:RevokeSnapshotAccess > snapshotIdentifier snapshotArn
redshift:ModifyClusterIamRoles > clusterIdentifier > addIamRoles[]
redshift:AuthorizeDataShare > dataShareArn > consumerIdentifier
redshift:AuthorizeEndpointAccess > clusterIdentifier > account
opsworks:SetPermission > iamUserArn > level
opsworks:UpdateUserProfile CreateUserProfile DeleteUserProfile > iamUserArn
opsworks:UpdateMyUserProfile > iamUserArn /userIdentity.arn
marketplacecatalog:PutResourcePolicy DeleteResourcePolicy > resourceArn
workmail:ResetUserPassword ResetPassword > userId
workmail:AssociateMemberToGroup > memberId > groupId
workmail:DisassociateMemberFromGroup > memberId
greengrass:AssociateServiceRoleToAccount > /recipientAccountId > roleArn
greengrass:DisassociateServiceRoleFromAccount > /recipientAccountId
greengrass:AssociateRoleToGroup > groupId > roleArn
storagegateway:SetLocalConsolePassword SetSMBGuestPassword > gatewayARN
storagegateway:UpdateChapCredentials DeleteChapCredentials > targetARN > initiatorName
elasticmapreduce:PutBlockPublicAccessConfiguration > /recipientAccountId
events:PutPermission > eventBusName /recipientAccountId > principal
events:RemovePermission > eventBusName /recipientAccountId
dynamodb:PutResourcePolicy DeleteResourcePolicy > resourceArn
glue:PutResourcePolicy DeleteResourcePolicy > resourceArn /recipientAccountId
glue:CreateDevEndpoint > endpointName > roleArn
glue:UpdateDevEndpoint > endpointName > addPublicKeys[] publicKey
es:CreateElasticsearchDomain UpdateElasticsearchDomainConfig CreateDomain UpdateDomainConfig > domainName
transfer:ImportSshPublicKey > userName
transfer:CreateUser UpdateUser > userName > role
transfer:DeleteUser DeleteSshPublicKey > userName
verifiedpermissions:CreatePolicy > R.policyId policyStoreId
workdocs:AddResourcePermissions > resourceId > principals[].{id} {role}
workdocs:RemoveResourcePermission > resourceId
workspaces:UpdateWorkspaceImagePermission > imageId > sharedAccountId
appstream:UpdateImagePermissions > name > sharedAccountId
appstream:DeleteImagePermissions > name
signer:AddProfilePermission > profileName > principal
grafana:UpdatePermissions > updateInstructionBatch[0].users[0].id workspaceId > updateInstructionBatch[].role
cloudhsm:PutResourcePolicy DeleteResourcePolicy > resourceArn
logs:PutResourcePolicy DeleteResourcePolicy > policyName resourceArn
xray:PutResourcePolicy DeleteResourcePolicy > policyName
appstream:BatchAssociateUserStack > userStackAssociations[0].userName > userStackAssociations[].stackName
appstream:BatchDisassociateUserStack > userStackAssociations[0].userName
ec2:CreateNetworkInterfacePermission > CreateNetworkInterfacePermissionRequest.NetworkInterfaceId networkInterfaceId > CreateNetworkInterfacePermissionRequest.AwsAccountId awsAccountId
ec2:ModifyVpcEndpoint > ModifyVpcEndpointRequest.VpcEndpointId vpcEndpointId
datazone:AddPolicyGrant > entityIdentifier > policyType
datazone:RemovePolicyGrant > entityIdentifier
cognito-idp:CreateUserImportJob > jobName userPoolId
cognito-idp:DeleteTerms UpdateTerms > termsId
cognito-idp:CreateTerms > R.terms.termsId termsName
elasticache:CreateUser ModifyUser > userId > accessString
memorydb:CreateUser UpdateUser > userName > accessString
grafana:CreateWorkspaceApiKey > keyName > keyRole
grafana:CreateWorkspaceServiceAccount > name > grafanaRole
grafana:UpdateWorkspaceAuthentication > workspaceId
iotsitewise:CreateAccessPolicy UpdateAccessPolicy > accessPolicyIdentity.user.id accessPolicyIdentity.group.id accessPolicyIdentity.iamUser.arn accessPolicyIdentity.iamRole.arn accessPolicyId > accessPolicyPermission
kafka:BatchAssociateScramSecret > clusterArn > secretArnList[]
kafka:BatchDisassociateScramSecret > clusterArn
qapps:UpdateQAppPermissions > appId > grantPermissions[].principal
qbusiness:AssociatePermission > applicationId > principal
route53resolver:PutFirewallRuleGroupPolicy PutResolverQueryLogConfigPolicy PutResolverRulePolicy > arn
omics:PutS3AccessPolicy > s3AccessPointArn
rekognition:PutProjectPolicy > projectArn > policyName
rekognition:DeleteProjectPolicy > projectArn
sso:UpdateTrustedTokenIssuer DeleteTrustedTokenIssuer > trustedTokenIssuerArn
sso:PutApplicationAccessScope > applicationArn > scope
sso:DeleteApplicationAccessScope > applicationArn
sso:TagResource UntagResource > resourceArn
workmail:PutMailboxPermissions > entityId > granteeId
workmail:DeleteMailboxPermissions > entityId
workspaces:UpdateConnectionAliasPermission > aliasId > connectionAliasPermission.sharedAccountId
organizations:InviteOrganizationToTransferResponsibility > target.id sourceName
ram:DisassociateResourceSharePermission > resourceShareArn
ram:ReplacePermissionAssociations > fromPermissionArn > toPermissionArn
iot:CreatePolicyVersion SetDefaultPolicyVersion > policyName policyArn
ds:EnableSso DisableSso > directoryId
ds:RegisterCertificate > R.certificateId directoryId
quicksight:DeleteRoleCustomPermission UpdateRoleCustomPermission > role > customPermissionsName
quicksight:UpdateUserCustomPermission > userName > customPermissionsName
quicksight:DeleteAccountCustomPermission > awsAccountId /recipientAccountId
quicksight:UpdateAccountCustomPermission > awsAccountId /recipientAccountId > customPermissionsName
quicksight:UpdateApplicationWithTokenExchangeGrant > awsAccountId /recipientAccountId
cloud9:CreateEnvironmentMembership UpdateEnvironmentMembership > userArn > permissions
cloud9:DeleteEnvironmentMembership > userArn
quicksight:CreateRoleMembership > memberName > role
quicksight:DeleteRoleMembership > memberName
quicksight:UpdatePublicSharingSettings > awsAccountId /recipientAccountId
iot:AttachThingPrincipal > principal > thingName
iot:DetachThingPrincipal > principal
datazone:CreateProjectMembership > member.userIdentifier member.groupIdentifier > projectIdentifier
datazone:DeleteProjectMembership > member.userIdentifier member.groupIdentifier
detective:EnableOrganizationAdminAccount > accountId
inspector2:EnableDelegatedAdminAccount DisableDelegatedAdminAccount > delegatedAdminAccountId
lex:CreateResourcePolicyStatement > resourceArn > principal[].{arn}{service}
guardduty:AcceptAdministratorInvitation > administratorId
securityhub:AcceptAdministratorInvitation > administratorId
macie2:AcceptAdministratorInvitation > administratorAccountId masterAccount
cognito-idp:SetUserMFAPreference > /userIdentity.userName /additionalEventData.sub /resources[0].ARN
s3:CreateAccessGrantsInstance DeleteAccessGrantsInstance AssociateAccessGrantsIdentityCenter > accountId /recipientAccountId > CreateAccessGrantsInstanceRequest.IdentityCenterArn identityCenterArn
s3:DeleteAccessGrantsLocation UpdateAccessGrantsLocation > id accessGrantsLocationId > UpdateAccessGrantsLocationRequest.IAMRoleArn iAMRoleArn
"""

# Of any service: what the names of fields say, in the order of what is changed.
BY_NAME = """userName username roleName groupName policyArn policyName instanceProfileName serverCertificateName
sAMLProviderArn openIDConnectProviderArn roleArn resourceArn keyId bucketName functionName snapshotId imageId
dBSnapshotIdentifier secretId topicArn queueUrl accountId targetId principalArn principalId userId groupId keyName
name arn id"""

# What a thing lies in, or speaks of somebody else: never before the thing.
CONTAINER = re.compile(r"^(instanceArn|identityStoreId|userPoolId|identityPoolId|directoryId|awsAccountId|accountId|namespace|"
                       r"domain(Identifier|Id|Name)?|organizationId|policyStoreId|instanceId|catalogId|registryId|applicationId|"
                       r"broker-?[iI]d|serverId|workspaceId|projectId|clusterName|clusterArn|detectorId|appId|apiId|restApiId|"
                       r"stackName|gatewayA(RN|rn)|hostedZoneId|creatorAccountId|ownerAccountId|analyzerArn|analyzerName|region|"
                       r"environmentId|fleetId|graphArn|portfolioId|trustAnchorId|spaceName|owner|type)$")
# Members that name nothing.
NOTHING = re.compile(r"(?i)(token|policyText|document|password|description|revision|version(Id)?$|dryRun|tagKeys|nextToken|"
                     r"maxResults|statementId|action|sid$|^policy$|resourcePolicy$|policyJson|accessPolicies|certificate$|"
                     r"publicKey(Material|Body)?$|effect|status|locale|language|message|policyHash|etag|ifMatch|fingerprint|statement$|firstName|givenName|homeRegion|^location$|lockId)")
GRANTED = re.compile(r"(?i)^(\w*roleArn|roleName|\w*policyArn|policyName|\w*principal(Arn|Id|s)?|\w*grantee\w*|permissions?|"
                     r"permissionSetArn|groupName|groupId|scopes?|shared?AccountIds?|\w*accountIds?ToAdd|iamRoleArn|userRole|role|"
                     r"grantPermissions|principals|iamPolicy\w*|userNames|userIdsToAdd|userArn)$")
NAMES = re.compile(r"(Name|Id|ID|Ids|Arn|ARN|Arns|Identifier|Identifiers|Url|Email|Alias|Principal|Key)$|^(name|id|arn|key|principal|target|alias|resource|username)$")


def lower_first(name):
    return name[0].lower() + name[1:]


def path(word):
    if word.startswith("/"):
        return word[1:]
    return (R + word[2:]) if word.startswith("R.") else Q + word


def reviewed():
    rows = {}
    for line in REVIEWED.strip().splitlines():
        parts = [part.strip() for part in line.split(" > ")]
        service, operations = parts[0].split(":")
        targets = parts[1].split()
        granted = split_granted(parts[2]) if len(parts) > 2 else []
        for operation in operations.split():
            assert (service, operation) not in rows, (service, operation)
            rows[service, operation] = ([path(t) for t in targets], [path(g) for g in granted])
    return rows


def split_granted(text):
    """Words, where {a} {b} is one."""
    return re.findall(r"(?:\{[^}]*\} (?=\{)|\S)+", text)


def members(operation, shape_name):
    """Of a shape: (name as CloudTrail writes it, other names, whether required, member)."""
    shape = operation.input_shape if shape_name == "input" else operation.output_shape
    if shape is None:
        return
    for name, member in shape.members.items():
        location = member.serialization.get("name")
        names = [lower_first(name)]
        if location and location.isalnum() and lower_first(location) not in names:
            names.append(lower_first(location))
        yield names, name in shape.required_members, member


def stem(name):
    return re.sub(r"(Name|Ids?|ID|ARNs?|Arns?|Identifiers?|Url|Key)$", "", name).lower()


def score(operation, name, required):
    """How well a member names what the operation changes."""
    noun = re.sub(r"^[A-Z][a-z]+", "", re.sub(r"(\d{8}(v2)?|\d{4}_\d\d_\d\d)$", "", operation)).lower()
    value = 8 if required else 0
    own = stem(name[0].upper() + name[1:])
    if own and (noun.endswith(own) or noun.endswith(own + "s") or own.endswith(noun)):
        value += 8
    elif own and own in noun:
        value += 6
    if name in ("name", "id", "arn", "identifier"):
        value += 5
    if name.lower().startswith(("resourcea", "resourcei")):
        value += 4
    if CONTAINER.match(name) and not (own and noun in (own, own + "s")):
        value -= 12
    if GRANTED.match(name) and not (own and noun.endswith(own)):
        value -= 9
    return value


def derived(service, operation_name, model, effect):
    operation = model.operation_model(operation_name)
    found, granted = [], []
    for names, required, member in members(operation, "input"):
        if names[0] == "grantPermissions" and member.type_name == "list":
            granted.append("grantPermissions[].principal")
        if NOTHING.search(names[0]) or getattr(member, "enum", None):
            continue
        if member.type_name == "string":
            suffix = ""
        elif member.type_name == "list" and member.member.type_name == "string":
            suffix = "[]"
        else:
            continue
        if GRANTED.match(names[0]) and effect != "delete":
            granted += [(name + suffix) for name in names]
        if required or NAMES.search(names[0]):
            found.append((score(operation_name, names[0], required), names, suffix))
    found.sort(key=lambda item: -item[0])
    # what fits, and the container for when nothing else is there
    found = [item for item in found if item[0] > 0][:3] + [item for item in found if item[0] <= 0][:1]
    targets = []
    for _, names, suffix in found:
        for name in names:
            if service == "ec2":
                targets.append(f"{Q}{operation_name}Request.{name[0].upper()}{name[1:]}")
            targets.append(Q + name + ("[0]" if suffix else ""))
    best = found[0][0] if found else -99
    if best < 8 or operation_name.startswith(("Create", "Register")) and best < 13:
        targets = in_response(operation) + targets
    if found:
        first = found[0][1]
        granted = [g for g in granted if g.rstrip("[]") not in first]
    return targets, [Q + g for g in granted]


def in_response(operation):
    """What a response names: its own members, and those of the one structure that it has."""
    found = []
    for names, _, member in members(operation, "output"):
        if member.type_name == "string" and re.search(r"(Arn|ARN|Id|Name)$|^(arn|id|name)$", names[0]) \
                and names[0] != "requestId" \
                and not NOTHING.search(names[0]) and not CONTAINER.match(names[0]):
            found.append(R + names[0])
        elif member.type_name == "structure":
            for name, inner in member.members.items():
                own = stem(name)
                if inner.type_name == "string" and (name in ("Arn", "arn", "Id", "id", "Name", "name") or
                                                    own and own == names[0].lower()):
                    found.append(R + names[0] + "." + lower_first(name))
    return found[:3]


def main():
    import botocore.session
    loader = botocore.session.get_session().get_component("data_loader")
    by_name = {}
    for name in loader.list_available_services("service-2"):
        meta = loader.load_service_model(name, "service-2")["metadata"]
        for key in {name, meta.get("endpointPrefix"), meta.get("signingName")} - {None}:
            by_name.setdefault(key, []).append(name)
    # event sources whose models have another name
    by_name.setdefault("s3", []).extend(["s3control"])
    by_name["marketplacecatalog"] = ["marketplace-catalog"]
    models = {}

    def model(name):
        if name not in models:
            models[name] = botocore.session.get_session().get_service_model(name)
        return models[name]

    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["provider", "service", "operation", "match", "target", "granted"])
    everywhere = [Q + name for name in BY_NAME.split()] + ["resources[0].ARN"]
    out.writerow(["aws", "*", "*", "exact", "|".join(everywhere), ""])
    by_hand = reviewed()
    used = set()
    with open(os.path.join(HERE, "..", "catalogue", "aws.csv"), newline="") as file:
        catalogue = list(csv.DictReader(file))
    for row in catalogue:
        if row["effect"] == "read" or row["category"] in ("session", "sign_in"):
            continue
        key = row["service"], row["operation"]
        if key in by_hand:
            targets, granted = by_hand[key]
            used.add(key)
            granted = granted if row["effect"] != "delete" else []
        else:
            base = re.sub(r"(\d{8}(v2)?|\d{4}_\d\d_\d\d)$", "", row["operation"])
            fitting = [name for name in by_name.get(row["service"], []) if base in model(name).operation_names]
            if not fitting:
                print("no model and no row by hand:", *key, file=sys.stderr)
                continue
            targets, granted = derived(row["service"], base, model(fitting[0]), row["effect"])
            # what is changed may be the account, or in the list of resources only
            targets = targets + ["resources[0].ARN"] if targets else ["resources[0].ARN", "recipientAccountId"]
        targets, granted = list(dict.fromkeys(targets)), list(dict.fromkeys(granted))
        assert not any("|" in p for p in targets + granted)
        out.writerow(["aws", *key, "exact", "|".join(targets), "|".join(granted)])
    for key in sorted(set(by_hand) - used):
        print("not in the catalogue, or not watched:", *key, file=sys.stderr)


if __name__ == "__main__":
    main()
